"""``register-serials``: proof of purchase is exchanged for license keys, in whole or in parts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs import numbers
from jobs.customers import Customers, Named
from jobs.issuing import NewLicense, issue
from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes, registering, terms
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from licensing.registering import Earlier, Party
from models import licenses, products, serials
from models.licenses import Maintenance
from models.serials import Registration, Serial

COLUMNS = (
    FIELDS["serial"].needed(),
    FIELDS["company"],
    FIELDS["customer_number"],
    FIELDS["contact"],
    FIELDS["email"].needed(),
    FIELDS["country"],
    FIELDS["support_contact"],
    FIELDS["host_id"],
    FIELDS["quantity"],
    FIELDS["reference"],
)


class Registrations:
    """The serials of one slice of rows, what they became already, and the customers that the rows are for."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Registrations | None = None
    ) -> None:
        self.work = work
        self.keys = codes.keys_of([row[0] for row in rows])
        self.serials = serials.by_key(connection, list(self.keys.values()), lock=not work.is_preview)
        self.customers = Customers(connection, work, [(row[2], row[1], row[5] or "") for row in rows])
        self.products = products.by_id(connection, list({serial.product_id for serial in self.serials.values()}))
        registered = [serial.id for serial in self.serials.values() if serial.state == "registered"]
        self.earlier: dict[int, list[Earlier]] = {
            serial_id: [Earlier(*license) for license in made]
            for serial_id, made in (licenses.of_serials(connection, registered) if registered else {}).items()
        }
        self.owners: dict[str, Party] = {
            key: serial.owner_id for key, serial in self.serials.items() if serial.owner_id is not None
        }
        if before is not None:
            self.serials |= before.serials
            self.earlier |= before.earlier
            self.owners |= before.owners
        self.fresh_numbers = iter(numbers.license_numbers(len(rows)))

    def decide(self, row: Asked) -> Decision:
        """Whether the row's serial becomes a license, or became it before, or why not."""
        code, company, customer_number, _contact, _email, country, _support, host_id, quantity, reference = row.values
        customer = self.customers.of(customer_number, company, country or "")
        if isinstance(customer, Decision):
            return customer
        request = registering.Request(self.keys[code], customer, host_id or "", quantity, reference or "")
        serial = self.serials.get(request.key)
        if serial is None:
            return registering.decide_registration(request, None, ())
        product = self.products[serial.product_id]
        earlier = self.earlier.setdefault(serial.id, [])
        decision = registering.decide_registration(
            request,
            registering.Offer(
                serial.state,
                serial.purpose,
                serial.prints_key,
                serial.remaining,
                self.owners.get(request.key),
                product.sku,
                product.host_bound,
            ),
            earlier,
        )
        if decision.code not in ("issued", "no_key_needed"):
            return decision
        self.owners[request.key] = customer
        if decision.code == "no_key_needed":
            return decision._replace(effect=(serial, product, customer, 0))
        taken = quantity or serial.remaining
        number = next(self.fresh_numbers)
        earlier.append(Earlier(number, request.host_id, taken, request.reference))
        serial.remaining -= taken
        serial.state = "registered"
        return Decision("issued", license_number=number, effect=(serial, product, customer, taken))

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Register the customers, take the quantities off the serials, sign and write the licenses."""
        effective = [row for row in asked if row.decision.effect]
        if not effective:
            return {}
        self.customers.settle(_named(row) for row in effective if not isinstance(row.decision.effect[2], int))
        serials.register(connection, [self._registration(row) for row in effective], self.work.at)
        issued = [self._license(row) for row in effective if row.decision.code == "issued"]
        return issue(connection, self.work, issued) if issued else {}

    def _registration(self, row: Asked) -> Registration:
        serial, _product, customer, taken = row.decision.effect
        contact, email, support_contact = row.values[3], row.values[4], row.values[6]
        return Registration(serial.id, taken, self.customers.id_of(customer), contact, email, support_contact)

    def _license(self, row: Asked) -> NewLicense:
        serial, product, customer, taken = row.decision.effect
        customer_id = self.customers.id_of(customer)
        months = product.term_months if serial.term_months is None else serial.term_months
        return NewLicense(
            row.ordinal,
            row.decision.license_number or "",
            customer_id,
            self.customers.numbers[customer_id],
            product.id,
            product.sku,
            serial.version or product.version or products.FIRST_VERSION,
            taken,
            row.values[7],
            row.values[9],
            terms.valid_until(self.work.today, months),
            self._maintenance(serial, row.values[6]),
            serial_id=serial.id,
        )

    def _maintenance(self, serial: Serial, support_contact: str | None) -> Maintenance | None:
        ends = terms.valid_until(self.work.today, serial.maintenance_months)
        return None if ends is None else Maintenance(self.work.today, ends, serial.maintenance_level, support_contact)


def _named(row: Asked) -> Named:
    company, email, country = row.values[1], row.values[4], row.values[5]
    return Named(codes.company_key(company), country or "", company, email)


KIND = Kind(
    name="register-serials",
    title={"en": "Register serials", "it": "Registrare numeri di serie"},
    senders=frozenset({"distributor", "customer"}),
    fields=COLUMNS,
    load=Registrations,
    subject=("serial",),
    domain="serial",
    issues_licenses=True,
    takes_back={"issued": "license", "no_key_needed": "registration"},
)
