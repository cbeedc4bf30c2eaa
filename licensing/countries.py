"""Countries: ISO 3166-1 alpha-2 codes with their English and Italian names."""

from __future__ import annotations

import unicodedata

# CODE English name=Italian name (where it is another); names as in the Unicode CLDR.
_NAMES = """
AD Andorra|AE United Arab Emirates=Emirati Arabi Uniti|AF Afghanistan|AG Antigua & Barbuda=Antigua e Barbuda|
AI Anguilla|AL Albania|AM Armenia|AO Angola|AQ Antarctica=Antartide|AR Argentina|
AS American Samoa=Samoa Americane|AT Austria|AU Australia|AW Aruba|AX Åland Islands=Isole Åland|
AZ Azerbaijan=Azerbaigian|BA Bosnia & Herzegovina=Bosnia ed Erzegovina|BB Barbados|BD Bangladesh|
BE Belgium=Belgio|BF Burkina Faso|BG Bulgaria|BH Bahrain=Bahrein|BI Burundi|BJ Benin|
BL St. Barthélemy=Saint-Barthélemy|BM Bermuda|BN Brunei|BO Bolivia|BQ Caribbean Netherlands=Caraibi Olandesi|
BR Brazil=Brasile|BS Bahamas|BT Bhutan|BV Bouvet Island=Isola Bouvet|BW Botswana|BY Belarus=Bielorussia|BZ Belize|
CA Canada|CC Cocos Islands=Isole Cocos|CD Congo - Kinshasa|
CF Central African Republic=Repubblica Centrafricana|CG Congo - Brazzaville=Congo-Brazzaville|
CH Switzerland=Svizzera|CI Côte d'Ivoire=Costa d'Avorio|CK Cook Islands=Isole Cook|CL Chile=Cile|
CM Cameroon=Camerun|CN China=Cina|CO Colombia|CR Costa Rica|CU Cuba|CV Cape Verde=Capo Verde|CW Curaçao|
CX Christmas Island=Isola Christmas|CY Cyprus=Cipro|CZ Czechia=Cechia|DE Germany=Germania|DJ Djibouti=Gibuti|
DK Denmark=Danimarca|DM Dominica|DO Dominican Republic=Repubblica Dominicana|DZ Algeria|EC Ecuador|EE Estonia|
EG Egypt=Egitto|EH Western Sahara=Sahara Occidentale|ER Eritrea|ES Spain=Spagna|ET Ethiopia=Etiopia|
FI Finland=Finlandia|FJ Fiji=Figi|FK Falkland Islands=Isole Falkland|FM Micronesia|FO Faroe Islands=Isole Fær Øer|
FR France=Francia|GA Gabon|GB United Kingdom=Regno Unito|GD Grenada|GE Georgia|GF French Guiana=Guyana Francese|
GG Guernsey|GH Ghana|GI Gibraltar=Gibilterra|GL Greenland=Groenlandia|GM Gambia|GN Guinea|GP Guadeloupe=Guadalupa|
GQ Equatorial Guinea=Guinea Equatoriale|GR Greece=Grecia|
GS South Georgia & South Sandwich Islands=Georgia del Sud e Sandwich Australi|GT Guatemala|GU Guam|
GW Guinea-Bissau|GY Guyana|HK Hong Kong|
HM Heard & McDonald Islands=Isole Heard e McDonald|HN Honduras|HR Croatia=Croazia|HT Haiti|HU Hungary=Ungheria|
ID Indonesia|IE Ireland=Irlanda|IL Israel=Israele|IM Isle of Man=Isola di Man|IN India|
IO British Indian Ocean Territory=Territorio Britannico dell'Oceano Indiano|IQ Iraq|IR Iran|IS Iceland=Islanda|
IT Italy=Italia|JE Jersey|JM Jamaica=Giamaica|JO Jordan=Giordania|JP Japan=Giappone|KE Kenya|
KG Kyrgyzstan=Kirghizistan|KH Cambodia=Cambogia|KI Kiribati|KM Comoros=Comore|
KN St. Kitts & Nevis=Saint Kitts e Nevis|KP North Korea=Corea del Nord|KR South Korea=Corea del Sud|KW Kuwait|
KY Cayman Islands=Isole Cayman|KZ Kazakhstan=Kazakistan|LA Laos|LB Lebanon=Libano|LC St. Lucia=Saint Lucia|
LI Liechtenstein|LK Sri Lanka|LR Liberia|LS Lesotho|LT Lithuania=Lituania|LU Luxembourg=Lussemburgo|
LV Latvia=Lettonia|LY Libya=Libia|MA Morocco=Marocco|MC Monaco|MD Moldova=Moldavia|ME Montenegro|
MF St. Martin=Saint Martin|MG Madagascar|MH Marshall Islands=Isole Marshall|MK North Macedonia=Macedonia del Nord|
ML Mali|MM Myanmar|MN Mongolia|MO Macao|
MP Northern Mariana Islands=Isole Marianne Settentrionali|MQ Martinique=Martinica|MR Mauritania|MS Montserrat|
MT Malta|MU Mauritius|MV Maldives=Maldive|MW Malawi|MX Mexico=Messico|MY Malaysia|MZ Mozambique=Mozambico|
NA Namibia|NC New Caledonia=Nuova Caledonia|NE Niger|NF Norfolk Island=Isola Norfolk|NG Nigeria|NI Nicaragua|
NL Netherlands=Paesi Bassi|NO Norway=Norvegia|NP Nepal|NR Nauru|NU Niue|NZ New Zealand=Nuova Zelanda|OM Oman|
PA Panama|PE Peru=Perù|PF French Polynesia=Polinesia Francese|PG Papua New Guinea=Papua Nuova Guinea|
PH Philippines=Filippine|PK Pakistan|PL Poland=Polonia|PM St. Pierre & Miquelon=Saint-Pierre e Miquelon|
PN Pitcairn Islands=Isole Pitcairn|PR Puerto Rico=Portorico|PS Palestinian Territories=Territori Palestinesi|
PT Portugal=Portogallo|PW Palau|PY Paraguay|QA Qatar|RE Réunion=Riunione|RO Romania|RS Serbia|RU Russia|
RW Rwanda=Ruanda|SA Saudi Arabia=Arabia Saudita|SB Solomon Islands=Isole Salomone|SC Seychelles|SD Sudan|
SE Sweden=Svezia|SG Singapore|SH St. Helena=Sant'Elena|SI Slovenia|SJ Svalbard & Jan Mayen=Svalbard e Jan Mayen|
SK Slovakia=Slovacchia|SL Sierra Leone|SM San Marino|SN Senegal|SO Somalia|SR Suriname|SS South Sudan=Sud Sudan|
ST São Tomé & Príncipe=São Tomé e Príncipe|SV El Salvador|SX Sint Maarten|SY Syria=Siria|SZ Eswatini|
TC Turks & Caicos Islands=Isole Turks e Caicos|TD Chad=Ciad|
TF French Southern Territories=Terre Australi Francesi|TG Togo|TH Thailand=Thailandia|TJ Tajikistan=Tagikistan|
TK Tokelau|TL Timor-Leste=Timor Est|TM Turkmenistan|TN Tunisia|TO Tonga|TR Türkiye=Turchia|
TT Trinidad & Tobago=Trinidad e Tobago|TV Tuvalu|TW Taiwan|TZ Tanzania|UA Ukraine=Ucraina|UG Uganda|
UM U.S. Outlying Islands=Isole Minori Esterne degli Stati Uniti|US United States=Stati Uniti|UY Uruguay|
UZ Uzbekistan|VA Vatican City=Città del Vaticano|VC St. Vincent & Grenadines=Saint Vincent e Grenadine|
VE Venezuela|VG British Virgin Islands=Isole Vergini Britanniche|VI U.S. Virgin Islands=Isole Vergini Americane|
VN Vietnam|VU Vanuatu|WF Wallis & Futuna=Wallis e Futuna|WS Samoa|YE Yemen|YT Mayotte|ZA South Africa=Sudafrica|
ZM Zambia|ZW Zimbabwe
"""
# Other names that people write, and the codes EL and UK, which the European Union uses.
_ALSO = """
BA Bosnia|CD Democratic Republic of the Congo=Repubblica Democratica del Congo|CG Congo|CI Ivory Coast|
CV Cabo Verde|CZ Czech Republic=Repubblica Ceca|GB Great Britain=Gran Bretagna|GB UK|GB England=Inghilterra|
GB Scotland=Scozia|GR EL|HK Hong Kong SAR|IR Islamic Republic of Iran|KP DPRK|KR Korea=Corea|KR Republic of Korea|
MM Burma=Birmania|MO Macau|NL The Netherlands=Olanda|NL Holland|PS Palestine=Palestina|
RU Russian Federation=Federazione Russa|SZ Swaziland|TL East Timor=Timor Orientale|TR Turkey|US USA|
US United States of America=Stati Uniti d'America|US U.S.A=America|VA Holy See=Santa Sede|VN Viet Nam|
ZA Repubblica Sudafricana
"""


def folded(name: str) -> str:
    """A name without case, accents, spaces and punctuation."""
    return "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())


def _read(table: str, code_counts: bool) -> dict[str, str]:
    known = {}
    for entry in table.replace("\n", "").split("|"):
        code, _, names = entry.partition(" ")
        for name in (*names.split("="), *([code] if code_counts else ())):
            known[folded(name)] = code
    return known


_BY_NAME = _read(_ALSO, False) | _read(_NAMES, True)
CODES = frozenset(_BY_NAME.values())


def country_code(text: str) -> str | None:
    """The code of the country that a cell names by code or name; None when no country is called so."""
    return _BY_NAME.get(folded(text))
