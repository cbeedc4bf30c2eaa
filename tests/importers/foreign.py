"""Small lists of our own making, in the form in which other systems write theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xlsxwriter  # type: ignore[import-untyped, unused-ignore]


@dataclass(frozen=True)
class Foreign:
    """A list: its layout, the kind that it is for, what its first row says of our fields, and what it holds.

    ``content``: bytes, or rows of a workbook. ``sender``, ``given``: who sends it, with which values for all rows.
    ``outcomes``: what its rows are answered in the installation of tests/flow/test_foreign_layouts.py.
    """

    name: str
    layout: str
    kind: str
    first: Mapping[str, Any]
    outcomes: Sequence[str]
    content: bytes | Sequence[Sequence[object]]
    sender: str = "VENDOR"
    given: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        """Write it into a file."""
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
            return path
        with xlsxwriter.Workbook(path) as workbook:
            sheet = workbook.add_worksheet("Page 1")
            for number, row in enumerate(self.content):
                sheet.write_row(number, 0, row)
        return path


LICENSESPRING = (
    b"license__license_key,product__short_code,customer__email,customer__first_name,customer__last_name,"
    b"customer__company_name,customer__phone,customer__reference,customer__address,customer__postcode,"
    b"customer__state,customer__city,customer__country,order__store_id,license__max_activations,"
    b"license__validity_period,license__valid_duration,license__enable_maintenance_period,"
    b"license__maintenance_period,license__note\n"
    b'LS-1111-AAAA,SUITE,anna@rossi.it,Anna,Neri,"Rossi, Bianchi & C. SpA",+39 02 1,PO-9,Via Roma 1,20100,MI,'
    b"Milano,Italy,S-1,3,,1y,true,2027-01-01,\n"
    b"LS-2222-BBBB,TOOL,b@muster.de,Bernd,Muster,Muster GmbH,,,,,,Berlin,DE,S-2,1,,,false,,new\n"
)
FILES = (
    Foreign(
        "voucherify.csv",
        "voucherify",
        "redeem-vouchers",
        {"voucher_code": "AB-12345"},
        ("issued",),
        b"Code,Voucher Type,Value,Discount Type,Category,Start Date,Expiration Date,Redemption Limit,"
        b"Redeemed Quantity,Redeemed Amount,Active,Additional Info\r\n"
        b"AB-12345,DISCOUNT_VOUCHER,10,PERCENT,,,2026-12-31T00:00:00Z,1,0,0,true,\r\n",
        sender="OEM",
        given={"company": "Rossi SpA", "host_id": "00A0C914C829"},
    ),
    Foreign(
        "talon-one.csv",
        "talon-one",
        "load-vouchers",
        {"voucher_code": "AB-12345", "expires": "2026-12-31T00:00:00Z"},
        ("created",),
        b"value,expirydate,startdate,recipientintegrationid,limitval,attributes,discountlimit\n"
        b'AB-12345,2026-12-31T00:00:00Z,,,1,"{""a"": ""b""}",\n',
        given={"oem": "OEM", "product": "SUITE"},
    ),
    Foreign(
        "web-register-keys.xml",
        "flexnet-web-register-keys",
        "register-serials",
        {"serial": "WRK-0001"},
        ("issued", "issued", "unknown_serial"),
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- exported -->\n<webregkeys>\n'
        b"  <webregkey>WRK-0001</webregkey>\n  <webregkey>WRK-0002</webregkey>\n"
        b"  <webregkey> WRK-0003 </webregkey>\n</webregkeys>\n",
        sender="MINE",
        given={"email": "a@b.it"},
    ),
    Foreign(
        "web-register-keys-with-products.xml",
        "flexnet-web-register-keys",
        "load-serials",
        {"serial": "WRK-0001", "product": "SUITE & MORE", "version": "4.0", "quantity": "5"},
        ("created", "created"),
        '<f:webregkeys xmlns:f="urn:example"><f:webregkey webRegKeyId="WRK-0001" status="ACTIVE">'
        "<productName>SUITE &amp; MORE</productName><productVersion>4.0</productVersion><copies>5</copies>"
        '</f:webregkey><f:webregkey webRegKeyId="WRK-0002"><productName>TOOL</productName>'
        "<note>für später</note></f:webregkey></f:webregkeys>".encode(),
    ),
    Foreign(
        "web-register-keys.txt",
        "flexnet-web-register-keys",
        "load-serials",
        {"serial": "WRK-0101", "product": "SUITE", "version": "4.0", "quantity": "5"},
        ("created", "created"),
        "Web Register Key ID\tProduct Name\tProduct Version\tCopies\tNote\r\n"
        'WRK-0101\tSUITE\t4.0\t5\t"a ""quoted"" word"\r\nWRK-0102\tTOOL\t1.0\t1\tcittà\r\n'.encode("utf-16"),
    ),
    Foreign(
        "licensespring.csv",
        "licensespring",
        "load-serials",
        {"serial": "LS-1111-AAAA", "product": "SUITE", "quantity": "3"},
        ("created", "created"),
        LICENSESPRING,
    ),
    Foreign(
        "licensespring-of-a-customer.csv",
        "licensespring",
        "register-serials",
        {
            "serial": "LS-1111-AAAA",
            "quantity": "3",
            "company": "Rossi, Bianchi & C. SpA",
            "email": "anna@rossi.it",
            "contact": "Neri",
            "country": "Italy",
            "reference": "PO-9",
        },
        ("issued", "issued"),
        LICENSESPRING,
        sender="MINE",
    ),
    Foreign(
        "snipe-it.csv",
        "snipe-it",
        "load-serials",
        {"serial": "SNP-77-0001", "product": "SUITE", "quantity": "10"},
        ("created", "created"),
        b"Full Name,Email,Username,Item name,serial number,Category,manufacturer,purchase date,purchase cost,"
        b"purchase order,order number,Licensed To Name,Licensed to Email,expiration date,maintained,reassignable,"
        b"seats,company,supplier,notes\n"
        b'"Jo Doe",jo@acme.com,jdoe,SUITE,SNP-77-0001,Graphics,Maker,06/30/2025,"$1,200.00",PO1,O1,Jane Roe,'
        b'jane@acme.com,12/31/2026,yes,FALSE,10,Acme Inc.,Seller,"says ""hello"""\n'
        b",,,TOOL,SNP-77-0002,Tools,Maker,07/01/2025,$99.00,,,,,,No,yes,1,,,\n",
    ),
    Foreign(
        "servicenow.xlsx",
        "servicenow-entitlements",
        "load-products",
        {"product": "PN-100", "name": "Suite Professional", "version": "4.0"},
        ("created", "created"),
        (
            (
                "Publisher part number",
                "Publisher",
                "Product",
                "Version",
                "Edition",
                "Platform",
                "Language",
                "License type",
                "License metric",
                "Purchased rights",
                "Agreement type",
                "Contract number",
                "PO number",
                "Vendor",
                "Unit cost",
                "Cost center",
                "Asset tag",
            ),
            (
                "PN-100",
                "Maker",
                "Suite Professional",
                "4.0",
                "Pro",
                "Windows",
                "English",
                "Perpetual",
                "Per user",
                25,
                "Generic",
                "CT-1",
                "PO-1",
                "Seller",
                "EUR;200",
                "IT",
                "P1000",
            ),
            ("PN-200", "Maker", "Tool", "1.0", "", "", "", "", "", 1, "", "", "", "", "", "", ""),
        ),
    ),
    Foreign(
        "broadcom.xlsx",
        "broadcom-license-folder",
        "load-maintenance",
        {"license": "AAAAA-BBBBB-00001", "ends": "2027-01-31"},
        ("unknown_license", "unknown_license"),
        (
            ("License Key", "Product Name", "Quantity", "Folder Name", "Contract End Date"),
            ("AAAAA-BBBBB-00001", "Suite", 4, "Plant 1", "2027-01-31"),
            ("AAAAA-BBBBB-00002", "Tool", 1, "Plant 2", ""),
        ),
    ),
    Foreign(
        "reconciliation-summary.csv",
        "flexnet-reconciliation-summary",
        "report-usage",
        {"customer_number": "MINE", "product": "SUITE", "date": "2026-01-31", "quantity": "12"},
        ("reported", "unknown_contract"),
        b"enterpriseName,accountID,productName,productID,featureName,friendlyName,startDate,endDate,usageUnitName,"
        b"usageFromStatement,entitled,overageFromReset,overageFromStatement\n"
        b"Mine,MINE,Suite,SUITE,f1,F One,2026-01-01,2026-01-31,seats,12,10,2,2\n"
        b"Mine,MINE,Tool,TOOL,f2,F Two,2026-01-01,2026-01-31,seats,1,10,0,0\n",
    ),
    Foreign(
        "autopilot.csv",
        "autopilot-devices",
        "register-serials",
        {"host_id": "5CG1234XYZ"},
        ("issued", "issued"),
        b"Device Serial Number,Windows Product ID,Hardware Hash,Group Tag,Assigned User\r\n"
        b"5CG1234XYZ,,T0FGQQEAHAAAAAoAcwBOZ,Plant1,\r\n0012345678,,T0FGQQEAHAAAAAoAcwBOY,Plant1,a@b.it\r\n",
        sender="MINE",
        given={"serial": "SNP-77-0001", "email": "a@b.it", "quantity": "1"},
    ),
)
