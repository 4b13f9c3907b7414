"""Which check digits a column's numbers carry: the identity and tax numbers of many countries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

Check = Callable[[str], bool]

_MODULES = (
    "gb.nhs", "in_.aadhaar", "de.idnr", "br.cpf", "pl.pesel", "fr.nir", "it.codicefiscale",
    "es.dni", "es.nie", "nl.bsn", "be.nn", "se.personnummer", "fi.hetu", "no.fodselsnummer",
    "tr.tckimlik", "ca.sin", "cn.ric", "kr.rrn", "za.idnr", "ch.ssn", "ro.cnp", "bg.egn", "cz.rc",
    "lt.asmens", "ee.ik", "il.idnr", "au.tfn", "ru.inn", "ua.rntrc", "gr.amka", "gr.vat", "pt.cc",
    "mx.curp", "ar.cuit", "cl.rut", "ie.pps", "hr.oib", "at.vnr", "eu.vat",
)  # fmt: skip
"""Modules of python-stdnum; numbers of products (EAN, ISBN) are no people's and not among them."""

_SHORTEST = 8
"""Characters below which a check digit is passed by codes of all sorts, padded with zeros."""


@cache
def national_checks() -> tuple[tuple[str, Check], ...]:
    """Name and check of every national number that is known."""
    return tuple((name, import_module(f"stdnum.{name}").is_valid) for name in _MODULES)


def shared_check(numbers: Sequence[str], *, least: float) -> tuple[str, Check] | None:
    """The check that at least this share of the numbers passes; None where there is none."""
    if sum(len(number) >= _SHORTEST for number in numbers) < least * len(numbers):
        return None
    allowed = int((1 - least) * len(numbers))
    for name, check in national_checks():
        missed = 0
        for number in numbers:
            missed += not check(number)
            if missed > allowed:
                break
        else:
            return name, check
    return None
