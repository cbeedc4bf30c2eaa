"""``revert-batches`` from a batch to what is free again, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.wiring import App
from jobs import reverting
from jobs.refusals import Refused
from models.database import fetch
from tests.apps import Answered, account, answers, licensed, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
Revert = Callable[[int], list[Answered]]
BIG = 1_000  # rows of a chunk


@pytest.fixture
def revert(app: App, submit: Submit, tmp_path: Path) -> Revert:
    """Takes back a batch whole, after a preview that says the same: the answers, last row first."""

    def send(batch: int) -> list[Answered]:
        path = tmp_path / "revert.csv"
        reverting.write_file(app, batch, path, "en")
        previewed = previewed_codes(app, submit(path.read_bytes(), "revert-batches", "VENDOR", confirm="ask"))
        given = answers(app, submit(path.read_bytes(), "revert-batches", "VENDOR"))
        assert [answer.code for answer in given] == previewed
        return given

    return send


@pytest.fixture
def parties(app: App) -> None:
    """A customer, an OEM, a product and a host-bound one with an upgrade path."""
    account(app, "MINE", "customer")
    account(app, "OTHER", "customer")
    account(app, "OEM")
    product(app, "APP")
    product(app, "BOX", host_bound=True)


def codes(given: list[Answered]) -> list[str]:
    """The codes of answers."""
    return [answer.code for answer in given]


def state(app: App, number: str) -> str:
    """The state of a license."""
    return str(one(app, "SELECT state FROM licenses WHERE number = %(n)s", n=number))


def test_redeemed_vouchers_are_free_again(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """The licenses are revoked, the vouchers can be redeemed anew; rows that did nothing are not in the file."""
    submit("Voucher code;OEM;Product\nV-1;OEM;APP\nV-2;OEM;APP\n", "load-vouchers", "VENDOR")
    order = "Voucher code;Company\nV-1;Rossi\nV-2;Rossi\nV-9;Rossi\n"
    redeemed = submit(order)
    first = answers(app, redeemed)
    assert codes(revert(redeemed)) == ["reverted", "reverted"]
    assert [state(app, answer.license_number) for answer in first[:2]] == ["revoked", "revoked"]
    again = answers(app, submit(order))
    assert codes(again) == ["issued", "issued", "unknown_voucher"]
    assert again[0].license_number != first[0].license_number
    query = "SELECT end_reason FROM licenses WHERE number = %(n)s"
    assert one(app, query, n=first[0].license_number).startswith("reverted by batch ")


@pytest.mark.parametrize(("separator", "encoding"), [(";", "cp1252"), ("\t", "utf-16"), ("|", "")])
def test_the_file_reads_the_same_whatever_the_vendors_habits(
    separator: str, encoding: str, app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """An account whose files have another separator and another encoding takes batches back all the same."""
    submit("Voucher code;OEM;Product\nV-1;OEM;APP\nV-2;OEM;APP\n", "load-vouchers", "VENDOR")
    redeemed = submit("Voucher code;Company\nV-1;Società Più\nV-2;Rossi\n")
    account(app, "VENDOR", "vendor", separator=separator, encoding=encoding)
    assert codes(revert(redeemed)) == ["reverted", "reverted"]


def test_a_row_is_taken_back_once(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """The same rows again are answered as done, even when the voucher was redeemed anew; audited by row."""
    submit("Voucher code;OEM;Product\nV-1;OEM;APP\n", "load-vouchers", "VENDOR")
    redeemed = submit("Voucher code;Company\nV-1;Rossi\n")
    revert(redeemed)
    submit("Voucher code;Company\nV-1;Rossi\n")
    assert codes(revert(redeemed)) == ["already_reverted"]
    query = "SELECT count(*) FROM audit_log WHERE action = 'row.reverted' AND subject = %(s)s"
    assert one(app, query, s=f"batch {redeemed} row 1") == 1


def test_registered_certificates_are_free_again(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """Two registrations of parts give their quantities back; a whole certificate belongs to nobody."""
    submit("Serial;Product;Quantity\nCERT-001;APP;5\nCERT-002;APP;3\n", "load-serials", "VENDOR")
    order = "Serial;E-mail;Quantity\nCERT-001;a@b.it;2\nCERT-001;a@b.it;3\nCERT-002;a@b.it;1\n"
    first = submit(order, "register-serials", "MINE")
    second = submit("Serial;E-mail;Quantity\nCERT-002;a@b.it;2\n", "register-serials", "MINE")
    assert codes(revert(second)) == ["reverted"]
    query = "SELECT remaining || ' ' || state || ' ' || coalesce(contact, email, '-') FROM serials WHERE code = %(c)s"
    assert one(app, query, c="CERT-002") == "2 registered a@b.it"
    assert codes(revert(first)) == ["reverted"] * 3
    assert [one(app, query, c=code) for code in ("CERT-001", "CERT-002")] == ["5 unregistered -", "3 unregistered -"]
    assert outcome_codes(app, submit(order, "register-serials", "OTHER")) == ["issued"] * 3


def test_a_certificate_that_prints_its_key_is_free_again(
    app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """Its support registration is forgotten, and another customer can register it."""
    submit("Serial;Product;Prints the key\nCERT-001;APP;yes\n", "load-serials", "VENDOR")
    order = "Serial;E-mail\nCERT-001;a@b.it\n"
    batch = submit(order, "register-serials", "MINE")
    assert outcome_codes(app, batch) == ["no_key_needed"]
    assert codes(revert(batch)) == ["reverted"]
    assert outcome_codes(app, submit(order, "register-serials", "OTHER")) == ["no_key_needed"]


def test_a_chain_of_re_hosts_is_taken_back_from_its_end(
    app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """Two parts moved and the rest moved on, all in one batch: the one license of before is active again, whole."""
    (license,) = licensed(app, submit, "MINE", "CERT-001;BOX;;5;", host="H1")
    rows = f"License;New host ID;Quantity\n{license};H2;2\n{license};H3;1\n{license};H4;2\n"
    moved = submit(rows, "rehost-licenses", "MINE")
    assert outcome_codes(app, moved) == ["issued_in_part", "issued_in_part", "issued"]
    made = [answer.license_number for answer in answers(app, moved)]
    assert codes(revert(moved)) == ["reverted"] * 3
    assert state(app, license) == "active"
    assert [state(app, number) for number in made] == ["revoked"] * 3
    assert one(app, "SELECT count(*) FROM licenses WHERE state = 'active'") == 1
    again = submit(f"License;New host ID\n{license};H2\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, again) == ["issued"]


def test_what_was_built_on_stays(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """A license that moved, was revoked or renewed since is kept, and the row says what became of it."""
    numbers = licensed(app, submit, "MINE", *(f"CERT-00{i};BOX;;1;12" for i in range(1, 5)), host="H1")
    submit(f"License;New host ID\n{numbers[0]};H2\n", "rehost-licenses", "MINE")
    submit(f"License;Reason\n{numbers[1]};Not paid\n", "revoke-licenses", "VENDOR")
    submit("Serial;Product;Purpose;Maintenance (months)\nREN-001;BOX;renewal;12\n", "load-serials", "VENDOR")
    renewed = submit(f"License;Renewal serial\n{numbers[2]};REN-001\n", "renew-maintenance", "MINE")
    assert outcome_codes(app, renewed) == ["renewed"]
    registered = one(
        app, "SELECT max(batch_id) FROM outcomes WHERE license_number = %(n)s AND code = 'issued'", n=numbers[3]
    )
    given = revert(registered)
    assert [(answer.code, answer.detail) for answer in given] == [
        ("reverted", None),
        ("kept_in_use", "renewed"),
        ("kept_in_use", "revoked"),
        ("kept_in_use", "rehosted"),
    ]


def test_a_renewal_is_taken_back(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """The maintenance ends when it did, the key says so, and the renewal certificate can be spent again."""
    (license,) = licensed(app, submit, "MINE", "CERT-001;APP;;1;12")
    submit("Serial;Product;Purpose;Maintenance (months)\nREN-001;APP;renewal;12\n", "load-serials", "VENDOR")
    query = "SELECT maintained_until || ' ' || key FROM licenses"
    before = one(app, query).partition(" ")[0]
    order = f"License;Renewal serial\n{license};REN-001\n"
    batch = submit(order, "renew-maintenance", "MINE")
    assert one(app, query).partition(" ")[0] > before
    assert codes(revert(batch)) == ["reverted"]
    assert one(app, query).partition(" ")[0] == before
    assert outcome_codes(app, submit(order, "renew-maintenance", "MINE")) == ["renewed"]


def test_revocations_voids_and_shares_are_taken_back(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """The license is active, the voucher redeemable, the share gone; a share withdrawn since is kept as it is."""
    numbers = licensed(app, submit, "MINE", "CERT-001;APP;;1;", "CERT-002;APP;;1;")
    revoked = submit(f"License;Reason\n{numbers[0]};Not paid\n", "revoke-licenses", "VENDOR")
    assert codes(revert(revoked)) == ["reverted"]
    assert state(app, numbers[0]) == "active"
    submit("Voucher code;OEM;Product\nV-1;OEM;APP\n", "load-vouchers", "VENDOR")
    voided = submit("Voucher code;Reason\nV-1;Lost\n", "void-vouchers", "VENDOR")
    assert codes(revert(voided)) == ["reverted"]
    header = "License;Shared with;Permission\n"
    shared = submit(f"{header}{numbers[0]};OTHER;read\n{numbers[1]};OTHER;read\n", "share-licenses", "MINE")
    withdrawn = submit(f"{header}{numbers[0]};OTHER;none\n", "share-licenses", "MINE")
    assert outcome_codes(app, withdrawn) == ["share_withdrawn"]
    assert codes(revert(withdrawn)) == ["kept_for_good"]
    assert codes(revert(shared)) == ["reverted", "kept_in_use"]
    assert one(app, "SELECT count(*) FROM shares WHERE state = 'active'") == 0
    assert outcome_codes(app, submit("Voucher code;Company\nV-1;Rossi\n")) == ["issued"]


def test_what_was_loaded_or_minted_becomes_void(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """Codes and certificates that nobody used; of a mint order the codes that are left."""
    loaded = submit("Voucher code;OEM;Product\nV-1;OEM;APP\nV-2;OEM;APP\n", "load-vouchers", "VENDOR")
    submit("Voucher code;Company\nV-1;Rossi\n")
    assert codes(revert(loaded)) == ["reverted", "kept_in_use"]
    serials = submit("Serial;Product;Quantity\nCERT-001;APP;5\nCERT-002;APP;2\n", "load-serials", "VENDOR")
    submit("Serial;E-mail\nCERT-002;a@b.it\n", "register-serials", "MINE")
    assert codes(revert(serials)) == ["kept_in_use", "reverted"]
    minted = submit("OEM;Product;Count\nOEM;APP;3\nOEM;APP;2\n", "mint-vouchers", "VENDOR")
    code = one(app, "SELECT min(code) FROM vouchers v JOIN mint_orders o ON o.id = v.order_id WHERE o.count = 2")
    submit(f"Voucher code;Company\n{code};Rossi\n")
    given = revert(minted)
    assert [(answer.code, answer.detail) for answer in given] == [("reverted_in_part", "1 / 2"), ("reverted", None)]
    query = "SELECT count(*) FROM vouchers WHERE state = 'void' AND order_id IS NOT NULL"
    assert one(app, query) == 4


def test_upgrades_and_their_notifications_are_taken_back(
    app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """The old license is active again and the notification open for it; then the notification itself goes."""
    releases = (
        "Product;Name;Version;Release date;Upgrade from\nAPP;App;1.0;2020-01-01;\nAPP;App;2.0;2022-01-01;APP@1.0\n"
    )
    submit(releases, "load-products", "VENDOR")
    (license,) = licensed(app, submit, "MINE", "CERT-001;APP;1.0;3;12")
    submit(
        f"License;Maintenance start;Maintenance end\n{license};2021-01-01;2030-01-01\n", "load-maintenance", "VENDOR"
    )
    noticed = submit("Product;Release\nAPP;2.0\n", "notify-upgrades", "VENDOR")
    assert outcome_codes(app, noticed) == ["notified"]
    notice = one(app, "SELECT code FROM notifications")
    order = f"Notification ID;Product;Quantity\n{notice};APP;1\n{notice};APP;2\n"
    upgraded = submit(order, "upgrade-licenses", "MINE")
    assert outcome_codes(app, upgraded) == ["issued_in_part", "issued"]
    assert codes(revert(noticed)) == ["kept_in_use"]
    assert codes(revert(upgraded)) == ["reverted", "reverted"]
    assert state(app, license) == "active"
    query = "SELECT license_number, remaining, state FROM notifications"
    with app.engine.connect() as connection:
        assert fetch(connection, query, {}) == [(license, 3, "open")]
    assert outcome_codes(app, submit(order, "upgrade-licenses", "MINE")) == ["issued_in_part", "issued"]


def test_notifications_that_nobody_used_go(app: App, submit: Submit, revert: Revert, parties: None) -> None:
    """They are deleted, and the release can be notified again."""
    releases = (
        "Product;Name;Version;Release date;Upgrade from\nAPP;App;1.0;2020-01-01;\nAPP;App;2.0;2022-01-01;APP@1.0\n"
    )
    submit(releases, "load-products", "VENDOR")
    (license,) = licensed(app, submit, "MINE", "CERT-001;APP;1.0;3;12")
    submit(
        f"License;Maintenance start;Maintenance end\n{license};2021-01-01;2030-01-01\n", "load-maintenance", "VENDOR"
    )
    noticed = submit("Product;Release\nAPP;2.0\n", "notify-upgrades", "VENDOR")
    assert codes(revert(noticed)) == ["reverted"]
    assert one(app, "SELECT count(*) FROM notifications") == 0
    assert outcome_codes(app, submit("Product;Release\nAPP;2.0\n", "notify-upgrades", "VENDOR")) == ["notified"]


def test_rows_that_cannot_be_taken_back_say_why(app: App, submit: Submit, parties: None) -> None:
    """Unknown, rejected then, of a kind that has an opposite, of another batch than the rows before."""
    first = submit("Voucher code;OEM;Product\nV-1;OEM;APP\nV-2;OEM;NONE\n", "load-vouchers", "VENDOR")
    second = submit("Voucher code;OEM;Product\nV-2;OEM;APP\n", "load-vouchers", "VENDOR")
    accounts = submit("Account;Name;Type\nNEW;New;customer\n", "load-accounts", "VENDOR")
    rows = ((first, 9), (first, 2), (accounts, 1), (first, 1), (second, 1), (first, 1))
    text = "Batch;Row\n" + "".join(f"{batch};{row}\n" for batch, row in rows)
    expected = [
        "unknown_row",
        "nothing_to_revert",
        "kept_for_good",
        "reverted",
        "another_batch",
        "already_reverted",
    ]
    assert previewed_codes(app, submit(text, "revert-batches", "VENDOR", confirm="ask")) == expected
    assert outcome_codes(app, submit(text, "revert-batches", "VENDOR")) == expected


@pytest.mark.parametrize("chunk_rows", [1, BIG])
def test_chunks_do_not_matter(app: App, submit: Submit, revert: Revert, parties: None, chunk_rows: int) -> None:
    """A chain within a batch is taken back alike when every row is a slice of its own."""
    (license,) = licensed(app, submit, "MINE", "CERT-001;BOX;;9;", host="H1")
    rows = "".join(f"{license};H{i};1\n" for i in range(2, 8))
    moved = submit("License;New host ID;Quantity\n" + rows, "rehost-licenses", "MINE")
    object.__setattr__(app, "settings", app.settings.model_copy(update={"chunk_rows": chunk_rows}))
    assert codes(revert(moved)) == ["reverted"] * 6
    assert state(app, license) == "active"


def test_a_batch_that_is_not_over_or_did_nothing_is_refused(
    app: App, submit: Submit, parties: None, tmp_path: Path
) -> None:
    """There is nothing to take back, or not yet; the sentence says which."""
    waiting = submit("Voucher code;OEM;Product\nV-1;OEM;APP\n", "load-vouchers", "VENDOR", confirm="ask")
    with pytest.raises(Refused, match="Wait for its end"):
        reverting.write_file(app, waiting, tmp_path / "revert.csv", "en")
    empty = submit("Voucher code;Company\nV-9;Rossi\n")
    with pytest.raises(Refused, match="did nothing"):
        reverting.write_file(app, empty, tmp_path / "revert.csv", "en")
    with pytest.raises(Refused, match="no batch 999"):
        reverting.write_file(app, 999, tmp_path / "revert.csv", "en")


def test_notifications_go_back_with_a_whole_license_and_not_with_parts(
    app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """One that followed a license returns with it; those of two parts are gone, and the whole is notified anew."""
    releases = (
        "Product;Name;Version;Release date;Upgrade from\nBOX;Box;1.0;2020-01-01;\nBOX;Box;2.0;2022-01-01;BOX@1.0\n"
    )
    submit(releases, "load-products", "VENDOR")
    whole, parted = licensed(app, submit, "MINE", "CERT-001;BOX;1.0;3;12", "CERT-002;BOX;1.0;3;12", host="H1")
    dates = "".join(f"{number};2021-01-01;2030-01-01\n" for number in (whole, parted))
    submit(f"License;Maintenance start;Maintenance end\n{dates}", "load-maintenance", "VENDOR")
    parts = submit(f"License;New host ID;Quantity\n{parted};H2;1\n{parted};H3;1\n", "rehost-licenses", "MINE")
    notice = "Product;Release\nBOX;2.0\n"
    assert answers(app, submit(notice, "notify-upgrades", "VENDOR"))[0].detail == "4"
    moved = submit(f"License;New host ID\n{whole};H2\n", "rehost-licenses", "MINE")
    assert codes(revert(moved)) == ["reverted"]
    assert codes(revert(parts)) == ["reverted", "reverted"]
    query = "SELECT string_agg(license_number, ' ') FROM notifications"
    assert one(app, query) == whole
    submit(notice, "notify-upgrades", "VENDOR")
    assert set(one(app, query).split()) == {whole, parted}
    moves = [f"{parted};H2;1", f"{parted};H3;2"]  # the second one is all that is left
    part, rest = (submit(f"License;New host ID;Quantity\n{move}\n", "rehost-licenses", "MINE") for move in moves)
    assert parted not in one(app, query)
    assert codes(revert(rest)) == codes(revert(part)) == ["reverted"]
    assert set(one(app, query).split()) == {whole, parted}


def test_a_revoked_license_of_a_contract_is_drawn_again_where_the_pool_has_it(
    app: App, submit: Submit, revert: Revert, parties: None
) -> None:
    """Under a hard stop what somebody else drew since is not there: kept, with what is left; other pools give it."""
    start = datetime.now(UTC).date() - timedelta(9)
    terms = "Contract;Customer number;Product;Quantity;Term start;Term (months);Policy\n"
    terms += f"FC-1;MINE;APP;10;{start};12;hard_stop\nFC-2;MINE;APP;10;{start};12;true_up\n"
    assert outcome_codes(app, submit(terms, "load-contracts", "VENDOR")) == ["created"] * 2
    draw = "Contract;Product;Quantity\n"
    drawn = answers(app, submit(f"{draw}FC-1;APP;6\nFC-1;APP;4\nFC-2;APP;10\n", "draw-down", "MINE"))
    numbers = [answer.license_number for answer in drawn]
    revoked = submit("License;Reason\n" + "".join(f"{n};Unpaid\n" for n in numbers), "revoke-licenses", "VENDOR")
    assert outcome_codes(app, submit(f"{draw}FC-1;APP;5\nFC-2;APP;5\n", "draw-down", "MINE"))[0] == "issued"
    other, small, large = revert(revoked)
    assert (other.code, small.code) == ("reverted", "reverted")
    assert (large.code, large.detail) == ("kept_in_use", "pool_exhausted 1 / 6")
    assert [state(app, number) for number in numbers] == ["revoked", "active", "active"]
    with app.engine.connect() as connection:
        query = "SELECT k.code, sum(d.quantity)::int FROM draw_downs d JOIN contract_lines n ON n.id = d.line_id"
        query += " JOIN contracts k ON k.id = n.contract_id GROUP BY k.code ORDER BY k.code"
        assert fetch(connection, query, {}) == [("FC-1", 9), ("FC-2", 15)]
    assert codes(revert(revoked)) == ["already_reverted", "already_reverted", "kept_in_use"]
