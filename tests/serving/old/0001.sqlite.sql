BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE api_key (
	project_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	secret_hash VARCHAR(400) NOT NULL, 
	scope VARCHAR(10) NOT NULL, 
	expires_at DATETIME, 
	revoked_at DATETIME, 
	last_used_at DATETIME, 
	max_storage_bytes BIGINT, 
	max_rows BIGINT, 
	max_running_jobs INTEGER, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE
);
INSERT INTO "api_key" VALUES('p1','first','$argon2id$v=19$m=8192,t=1,p=1$Wfdpa2oDnNx3RJbXId+Zrg$klrGDAnOxSmEos2FR/dEXJe995Q/yYkX8HAYaRB/AyU','admin',NULL,NULL,NULL,NULL,NULL,NULL,'8d9f0b5c6c7a4f1f9a3f0d1c2b3a4958','2026-11-22 07:02:52.141741');
CREATE TABLE audit_entry (
	project_id VARCHAR(64), 
	key_id VARCHAR(64), 
	action VARCHAR(60) NOT NULL, 
	object_kind VARCHAR(30) NOT NULL, 
	object_id VARCHAR(64), 
	outcome VARCHAR(30) NOT NULL, 
	details JSON NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "audit_entry" VALUES('p1',NULL,'upload','table','t1','done','{"rows": 3}','6134be365ec141dea21c478d9607bffd','2026-11-22 07:02:52.159634');
CREATE TABLE dataset (
	origin VARCHAR(20) NOT NULL, 
	synthesizer_id VARCHAR(64), 
	job_id VARCHAR(64), 
	num_rows BIGINT NOT NULL, 
	num_columns INTEGER NOT NULL, 
	num_bytes BIGINT NOT NULL, 
	path VARCHAR(500) NOT NULL, 
	schema JSON NOT NULL, 
	profile JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE
);
INSERT INTO "dataset" VALUES('upload',NULL,NULL,3,2,100,'tables/t1/upload.parquet','{"columns": []}','{"columns": []}','p1','people','2026-11-22 07:02:52.182308',1,'t1','2026-11-22 07:02:52.182310');
CREATE TABLE idempotent_answer (
	project_id VARCHAR(64) NOT NULL, 
	"key" VARCHAR(200) NOT NULL, 
	request_hash VARCHAR(64) NOT NULL, 
	status INTEGER NOT NULL, 
	headers JSON NOT NULL, 
	body TEXT NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE, 
	UNIQUE (project_id, "key")
);
CREATE TABLE job (
	kind VARCHAR(20) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	spec JSON NOT NULL, 
	resources VARCHAR(10) NOT NULL, 
	priority INTEGER NOT NULL, 
	progress JSON NOT NULL, 
	result JSON, 
	error JSON, 
	attempts INTEGER NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	worker VARCHAR(100), 
	project_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE
);
INSERT INTO "job" VALUES('fit','succeeded','{"table_id": "t1", "synthesizer_id": "s1"}','cpu',100,'{}','{"synthesizer_id": "s1"}',NULL,1,'2026-11-22 07:02:52.140158','2026-11-22 07:02:52.140166',NULL,'p1','fit','2026-11-22 07:02:52.180109',1,'j1','2026-11-22 07:02:52.180117');
CREATE TABLE project (
	name VARCHAR(200) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "project" VALUES('stored','p1','2026-11-22 07:02:52.072214');
CREATE TABLE report (
	job_id VARCHAR(64), 
	table_id VARCHAR(64), 
	path VARCHAR(500) NOT NULL, 
	num_bytes BIGINT NOT NULL, 
	summary JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE
);
CREATE TABLE synthesizer (
	table_id VARCHAR(64), 
	job_id VARCHAR(64), 
	state VARCHAR(20) NOT NULL, 
	settings JSON NOT NULL, 
	path VARCHAR(500), 
	num_bytes BIGINT NOT NULL, 
	provenance JSON NOT NULL, 
	project_id VARCHAR(64) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	updated_at DATETIME NOT NULL, 
	version INTEGER NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	created_at DATETIME NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project_id) REFERENCES project (id) ON DELETE CASCADE
);
INSERT INTO "synthesizer" VALUES('t1','j1','ready','{"max_epochs": 1}','synthesizers/s1/a',0,'{}','p1','s','2026-11-22 07:02:52.181411',1,'s1','2026-11-22 07:02:52.181414');
CREATE INDEX ix_audit_entry_created_at ON audit_entry (created_at);
CREATE INDEX ix_audit_entry_object_id ON audit_entry (object_id);
CREATE INDEX ix_audit_entry_project_id ON audit_entry (project_id);
CREATE INDEX ix_project_created_at ON project (created_at);
CREATE INDEX ix_api_key_created_at ON api_key (created_at);
CREATE INDEX ix_dataset_created_at ON dataset (created_at);
CREATE INDEX ix_dataset_job_id ON dataset (job_id);
CREATE INDEX ix_dataset_project_id ON dataset (project_id);
CREATE INDEX ix_dataset_synthesizer_id ON dataset (synthesizer_id);
CREATE INDEX ix_idempotent_answer_created_at ON idempotent_answer (created_at);
CREATE INDEX ix_job_created_at ON job (created_at);
CREATE INDEX ix_job_project_id ON job (project_id);
CREATE INDEX job_state ON job (state, created_at);
CREATE INDEX ix_report_created_at ON report (created_at);
CREATE INDEX ix_report_job_id ON report (job_id);
CREATE INDEX ix_report_project_id ON report (project_id);
CREATE INDEX ix_report_table_id ON report (table_id);
CREATE INDEX ix_synthesizer_created_at ON synthesizer (created_at);
CREATE INDEX ix_synthesizer_job_id ON synthesizer (job_id);
CREATE INDEX ix_synthesizer_project_id ON synthesizer (project_id);
CREATE INDEX ix_synthesizer_table_id ON synthesizer (table_id);
COMMIT;
