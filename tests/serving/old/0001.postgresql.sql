CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.api_key (
    project_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    secret_hash character varying(400) NOT NULL,
    scope character varying(10) NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    max_storage_bytes bigint,
    max_rows bigint,
    max_running_jobs integer,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.audit_entry (
    project_id character varying(64),
    key_id character varying(64),
    action character varying(60) NOT NULL,
    object_kind character varying(30) NOT NULL,
    object_id character varying(64),
    outcome character varying(30) NOT NULL,
    details json NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.dataset (
    origin character varying(20) NOT NULL,
    synthesizer_id character varying(64),
    job_id character varying(64),
    num_rows bigint NOT NULL,
    num_columns integer NOT NULL,
    num_bytes bigint NOT NULL,
    path character varying(500) NOT NULL,
    schema json NOT NULL,
    profile json NOT NULL,
    project_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.idempotent_answer (
    project_id character varying(64) NOT NULL,
    key character varying(200) NOT NULL,
    request_hash character varying(64) NOT NULL,
    status integer NOT NULL,
    headers json NOT NULL,
    body text NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.job (
    kind character varying(20) NOT NULL,
    state character varying(20) NOT NULL,
    spec json NOT NULL,
    resources character varying(10) NOT NULL,
    priority integer NOT NULL,
    progress json NOT NULL,
    result json,
    error json,
    attempts integer NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    worker character varying(100),
    project_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.project (
    name character varying(200) NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.report (
    job_id character varying(64),
    table_id character varying(64),
    path character varying(500) NOT NULL,
    num_bytes bigint NOT NULL,
    summary json NOT NULL,
    project_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.synthesizer (
    table_id character varying(64),
    job_id character varying(64),
    state character varying(20) NOT NULL,
    settings json NOT NULL,
    path character varying(500),
    num_bytes bigint NOT NULL,
    provenance json NOT NULL,
    project_id character varying(64) NOT NULL,
    name character varying(200) NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    id character varying(64) NOT NULL,
    created_at timestamp with time zone NOT NULL
);
INSERT INTO public.alembic_version VALUES ('0001');
INSERT INTO public.api_key VALUES ('p1', 'first', '$argon2id$v=19$m=8192,t=1,p=1$Wfdpa2oDnNx3RJbXId+Zrg$klrGDAnOxSmEos2FR/dEXJe995Q/yYkX8HAYaRB/AyU', 'admin', NULL, NULL, NULL, NULL, NULL, NULL, '8d9f0b5c6c7a4f1f9a3f0d1c2b3a4958', '2026-11-22 07:02:52.141741+00');
INSERT INTO public.audit_entry VALUES ('p1', NULL, 'upload', 'table', 't1', 'done', '{"rows": 3}', '6134be365ec141dea21c478d9607bffd', '2026-11-22 07:02:52.159634+00');
INSERT INTO public.dataset VALUES ('upload', NULL, NULL, 3, 2, 100, 'tables/t1/upload.parquet', '{"columns": []}', '{"columns": []}', 'p1', 'people', '2026-11-22 07:02:52.182308+00', 1, 't1', '2026-11-22 07:02:52.18231+00');
INSERT INTO public.job VALUES ('fit', 'succeeded', '{"table_id": "t1", "synthesizer_id": "s1"}', 'cpu', 100, '{}', '{"synthesizer_id": "s1"}', 'null', 1, '2026-11-22 07:02:52.140158+00', '2026-11-22 07:02:52.140166+00', NULL, 'p1', 'fit', '2026-11-22 07:02:52.180109+00', 1, 'j1', '2026-11-22 07:02:52.180117+00');
INSERT INTO public.project VALUES ('stored', 'p1', '2026-11-22 07:02:52.072214+00');
INSERT INTO public.synthesizer VALUES ('t1', 'j1', 'ready', '{"max_epochs": 1}', 'synthesizers/s1/a', 0, '{}', 'p1', 's', '2026-11-22 07:02:52.181411+00', 1, 's1', '2026-11-22 07:02:52.181414+00');
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_entry
    ADD CONSTRAINT audit_entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotent_answer
    ADD CONSTRAINT idempotent_answer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotent_answer
    ADD CONSTRAINT idempotent_answer_project_id_key_key UNIQUE (project_id, key);
ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_name_key UNIQUE (name);
ALTER TABLE ONLY public.project
    ADD CONSTRAINT project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.synthesizer
    ADD CONSTRAINT synthesizer_pkey PRIMARY KEY (id);
CREATE INDEX ix_api_key_created_at ON public.api_key USING btree (created_at);
CREATE INDEX ix_audit_entry_created_at ON public.audit_entry USING btree (created_at);
CREATE INDEX ix_audit_entry_object_id ON public.audit_entry USING btree (object_id);
CREATE INDEX ix_audit_entry_project_id ON public.audit_entry USING btree (project_id);
CREATE INDEX ix_dataset_created_at ON public.dataset USING btree (created_at);
CREATE INDEX ix_dataset_job_id ON public.dataset USING btree (job_id);
CREATE INDEX ix_dataset_project_id ON public.dataset USING btree (project_id);
CREATE INDEX ix_dataset_synthesizer_id ON public.dataset USING btree (synthesizer_id);
CREATE INDEX ix_idempotent_answer_created_at ON public.idempotent_answer USING btree (created_at);
CREATE INDEX ix_job_created_at ON public.job USING btree (created_at);
CREATE INDEX ix_job_project_id ON public.job USING btree (project_id);
CREATE INDEX ix_project_created_at ON public.project USING btree (created_at);
CREATE INDEX ix_report_created_at ON public.report USING btree (created_at);
CREATE INDEX ix_report_job_id ON public.report USING btree (job_id);
CREATE INDEX ix_report_project_id ON public.report USING btree (project_id);
CREATE INDEX ix_report_table_id ON public.report USING btree (table_id);
CREATE INDEX ix_synthesizer_created_at ON public.synthesizer USING btree (created_at);
CREATE INDEX ix_synthesizer_job_id ON public.synthesizer USING btree (job_id);
CREATE INDEX ix_synthesizer_project_id ON public.synthesizer USING btree (project_id);
CREATE INDEX ix_synthesizer_table_id ON public.synthesizer USING btree (table_id);
CREATE INDEX job_state ON public.job USING btree (state, created_at);
ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.dataset
    ADD CONSTRAINT dataset_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.idempotent_answer
    ADD CONSTRAINT idempotent_answer_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.job
    ADD CONSTRAINT job_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.report
    ADD CONSTRAINT report_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.synthesizer
    ADD CONSTRAINT synthesizer_project_id_fkey FOREIGN KEY (project_id) REFERENCES public.project(id) ON DELETE CASCADE;
