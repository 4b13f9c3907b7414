"""A browser without a script, at a service without a worker."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from litestar.testing import TestClient

PEOPLE = (
    "age,sex,city,joined,left\n"
    + "\n".join(
        f"{20 + i % 50},{'fm'[i % 2]},{('Oslo', 'Rome', '')[i % 3]},2024-01-{i % 28 + 1:02},"
        f"2024-02-{i % 28 + 1:02}"
        for i in range(300)
    )
).encode()


@dataclass
class Browser:
    """A client that is signed in, with the token that its forms carry."""

    client: TestClient
    office: Any
    token: str = ""

    def sign_in(self, project: str = "p1", scope: str = "admin") -> Any:
        self.client.cookies.clear()
        key = self.office.keys[project, scope]
        answer = self.client.post("/sign-in", data={"key": key, "next": "/tables"})
        self.token = re.search(r'name="form_token" value="(\w+)"', answer.text)[1]
        return answer

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def send(self, path: str, **fields: Any) -> Any:
        return self.client.post(path, data={"form_token": self.token, **fields})

    def upload(self, data: bytes = PEOPLE, **fields: str) -> Any:
        path = f"/tables?form_token={self.token}"
        return self.client.post(path, data=fields, files={"file": ("people.csv", data)})

    def records(self, kind: type) -> list[Any]:
        with self.office.service.database.reading() as session:
            return session.query(kind).order_by(kind.created_at.desc()).all()


@pytest.fixture(scope="module")
def browser(office: Any) -> Iterator[Browser]:
    yield Browser(office.client, office)
    office.client.cookies.clear()


@pytest.fixture(scope="module")
def table(browser: Browser) -> str:
    browser.sign_in()
    return str(browser.upload(name="people").url.path.rsplit("/", 1)[-1])
