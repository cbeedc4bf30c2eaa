"""Every answer a row can get: its outcome word, its stable code, and a sentence in English and Italian.

A sentence's ``{detail}`` is replaced by what the row's decision adds (a date, a number, the part of a cell that is
wrong). Codes are a contract: they are never renamed, only added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from licensing.field_catalogue import FIELDS
from licensing.fields import Language

Outcome = Literal["issued", "unchanged", "accepted", "rejected", "skipped"]
OUTCOMES: tuple[Outcome, ...] = ("issued", "unchanged", "accepted", "rejected", "skipped")


@dataclass(frozen=True, slots=True)
class Code:
    """One stable code and the sentence that a person reads for it."""

    code: str
    outcome: Outcome
    en: str
    it: str

    def sentence(self, language: Language, detail: str = "") -> str:
        """The sentence in a language with its detail filled in; names of columns become their titles."""
        text = self.it if language == "it" else self.en
        if self.code in _NAMING_COLUMNS:
            names = detail.split(", ")
            detail = ", ".join(FIELDS[name].title[language] if name in FIELDS else name for name in names)
        return text.replace("{detail}", detail)


_NAMING_COLUMNS = frozenset({"missing_value", "updated", "voucher_in_use", "serial_in_use"})


_ALL = (
    Code("issued", "issued", "License issued.", "Licenza emessa."),
    Code(
        "issued_in_part",
        "issued",
        "License issued for that quantity. The rest of the old license is now the license {detail}.",
        "Licenza emessa per quella quantità. Il resto della vecchia licenza è ora la licenza {detail}.",
    ),
    Code(
        "renewed",
        "issued",
        "Maintenance renewed until {detail}; here is the new key.",
        "Manutenzione rinnovata fino al {detail}; ecco la nuova chiave.",
    ),
    Code("minted", "issued", "{detail} voucher codes minted.", "{detail} codici voucher generati."),
    Code("created", "accepted", "Created.", "Creato."),
    Code("updated", "accepted", "Updated: {detail}.", "Aggiornato: {detail}."),
    Code("unchanged", "unchanged", "Already so; nothing was changed.", "Già così; nulla è stato modificato."),
    Code(
        "already_issued",
        "unchanged",
        "This row was answered before; here is the same key again.",
        "Questa riga ha già avuto risposta; ecco di nuovo la stessa chiave.",
    ),
    Code(
        "already_renewed",
        "unchanged",
        "This serial renewed this license before; its maintenance ends on {detail}.",
        "Questo numero di serie ha già rinnovato questa licenza; la manutenzione termina il {detail}.",
    ),
    Code(
        "already_minted",
        "unchanged",
        "An order with this reference was minted before; here are the same codes.",
        "Un ordine con questo riferimento è già stato generato; ecco gli stessi codici.",
    ),
    Code(
        "notified", "accepted", "Upgrade notifications made: {detail}.", "Notifiche di aggiornamento create: {detail}."
    ),
    Code(
        "nobody_to_notify",
        "accepted",
        "No license that this release upgrades has maintenance that covers its release date.",
        "Nessuna licenza che questa versione aggiorna ha una manutenzione che copre la data di rilascio.",
    ),
    Code(
        "already_notified",
        "unchanged",
        "All owners were notified before; here are the same IDs: {detail}.",
        "Tutti i titolari sono già stati avvisati; ecco gli stessi ID: {detail}.",
    ),
    Code(
        "downloads_listed",
        "accepted",
        "Files that the license covers, in the list of downloads: {detail}.",
        "File coperti dalla licenza, nell'elenco dei download: {detail}.",
    ),
    Code("shared", "accepted", "Shared with {detail}.", "Condivisa con {detail}."),
    Code("share_withdrawn", "accepted", "No longer shared with {detail}.", "Non più condivisa con {detail}."),
    Code("annotated", "accepted", "Saved with the license: {detail}.", "Salvato con la licenza: {detail}."),
    Code(
        "issued_beyond_commitment",
        "issued",
        "License issued; {detail} are drawn beyond what is committed, which the statement will tell.",
        "Licenza emessa; {detail} sono prelevate oltre l'impegno, come dirà l'estratto.",
    ),
    Code(
        "returned",
        "accepted",
        "Given back ({detail}); the license has ended.",
        "Restituita ({detail}); la licenza è terminata.",
    ),
    Code(
        "returned_in_part",
        "issued",
        "{detail} given back; this key is for what is left.",
        "{detail} restituite; questa chiave vale per il resto.",
    ),
    Code("already_returned", "unchanged", "Given back before.", "Già restituita."),
    Code(
        "unknown_contract",
        "rejected",
        "No such contract is known. Check its number.",
        "Nessun contratto con questo numero è noto. Controllare il numero.",
    ),
    Code(
        "product_not_in_contract",
        "rejected",
        "The contract has no line for {detail}.",
        "Il contratto non ha una riga per {detail}.",
    ),
    Code(
        "contract_not_active",
        "rejected",
        "The term of the line is {detail}; today lies outside.",
        "La riga è valida nel periodo {detail}; oggi è fuori.",
    ),
    Code(
        "pool_exhausted",
        "rejected",
        "Only {detail} are left of what is committed. Ask for less, or have the contract amended.",
        "Dell'impegno restano solo {detail}. Chiederne meno, o far modificare il contratto.",
    ),
    Code(
        "nothing_to_draw",
        "rejected",
        "The quantity is zero. Give how many to draw, or a negative number to give back.",
        "La quantità è zero. Indicare quante prelevarne, o un numero negativo per restituirne.",
    ),
    Code(
        "license_of_another_contract",
        "rejected",
        "The license was not drawn from this line of the contract.",
        "La licenza non è stata prelevata da questa riga del contratto.",
    ),
    Code("reported", "accepted", "Usage taken down.", "Uso registrato."),
    Code(
        "corrected",
        "accepted",
        "Usage corrected ({detail}); the earlier report stays visible.",
        "Uso corretto ({detail}); il rapporto precedente resta visibile.",
    ),
    Code(
        "usage_overlaps",
        "rejected",
        "The usage of {detail} is reported in total and by host and would be counted twice. Correct the other report "
        "to 0 or leave this one out.",
        "L'uso del {detail} è comunicato sia in totale sia per host; conterebbe due volte. Correggere a 0 l'altro "
        "rapporto o tralasciare questo.",
    ),
    Code(
        "date_in_future",
        "rejected",
        "The day {detail} has not come yet.",
        "Il giorno {detail} non è ancora arrivato.",
    ),
    Code(
        "several_contracts",
        "rejected",
        "The customer has several contracts with this product: {detail}. Name the contract.",
        "Il cliente ha più contratti con questo prodotto: {detail}. Indicare il contratto.",
    ),
    Code("reconciled", "accepted", "Statements written: {detail}.", "Estratti scritti: {detail}."),
    Code("amended", "accepted", "Amended from {detail} on.", "Modificato dal {detail}."),
    Code(
        "contract_terms_fixed",
        "rejected",
        "This cannot change while the contract runs (it is {detail}). Amend quantity and price from a day on, or load "
        "a new contract.",
        "Questo non può cambiare finché il contratto è in corso (è {detail}). Modificare quantità e prezzo da una "
        "data, o caricare un nuovo contratto.",
    ),
    Code(
        "outside_term",
        "rejected",
        "The day lies outside the term of the line ({detail}).",
        "Il giorno è fuori dalla validità della riga ({detail}).",
    ),
    Code(
        "committed_before",
        "rejected",
        "Another quantity or price was committed from {detail} on, and nothing is overwritten. Choose another day.",
        "Dal {detail} vale già un'altra quantità o un altro prezzo, e nulla viene sovrascritto. Scegliere un altro "
        "giorno.",
    ),
    Code(
        "nothing_to_amend",
        "rejected",
        "The contract has no such line yet. Load it without a day from which it is effective first.",
        "Il contratto non ha ancora questa riga. Caricarla prima senza la data di decorrenza.",
    ),
    Code(
        "unknown_time_zone",
        "rejected",
        "There is no time zone {detail}. Write it like Europe/Rome.",
        "Il fuso orario {detail} non esiste. Scriverlo come Europe/Rome.",
    ),
    Code("reverted", "accepted", "Taken back.", "Annullato l'effetto."),
    Code(
        "reverted_in_part",
        "accepted",
        "Taken back as far as nobody had used it: {detail}.",
        "Annullato l'effetto per quanto nessuno aveva usato: {detail}.",
    ),
    Code(
        "already_reverted",
        "unchanged",
        "This row was taken back before.",
        "L'effetto di questa riga è già stato annullato.",
    ),
    Code(
        "nothing_to_revert",
        "unchanged",
        "The row had done nothing ({detail}), so there is nothing to take back.",
        "La riga non aveva fatto nulla ({detail}), quindi non c'è nulla da annullare.",
    ),
    Code(
        "kept_in_use",
        "rejected",
        "Kept, because something has been built on it: {detail}.",
        "Mantenuto, perché nel frattempo è stato usato: {detail}.",
    ),
    Code(
        "kept_for_good",
        "rejected",
        "Kept: what a row of {detail} did cannot be taken back. Send the opposite.",
        "Mantenuto: l'effetto di una riga di {detail} non si può annullare. Inviare il contrario.",
    ),
    Code(
        "another_batch",
        "rejected",
        "A file takes back rows of one batch, and this one does so of batch {detail}. Send another file.",
        "Un file annulla righe di un solo lotto, e questo lo fa del lotto {detail}. Inviare un altro file.",
    ),
    Code(
        "unknown_row",
        "rejected",
        "No answered row {detail} (batch / row) is known, or it was deleted because of its age.",
        "Nessuna riga {detail} (lotto / riga) con risposta è nota, o è stata eliminata per la sua età.",
    ),
    Code("revoked", "accepted", "License revoked.", "Licenza revocata."),
    Code("voided", "accepted", "Made void.", "Annullato."),
    Code(
        "missing_value",
        "rejected",
        "The column {detail} is required and its cell is blank. Fill it in.",
        "La colonna {detail} è obbligatoria e la cella è vuota. Compilarla.",
    ),
    Code(
        "unreadable_cell",
        "rejected",
        "The cell holds an error or a formula without a value: {detail}. Type the value in.",
        "La cella contiene un errore o una formula senza valore: {detail}. Scrivere il valore.",
    ),
    Code(
        "bad_character",
        "rejected",
        "The cell holds a character that cannot be used: {detail}. Retype the cell.",
        "La cella contiene un carattere non utilizzabile: {detail}. Riscrivere la cella.",
    ),
    Code(
        "changed_by_spreadsheet",
        "rejected",
        "The spreadsheet turned this code into a number ({detail}) and digits are lost. Format the column as text and "
        "enter the code again.",
        "Il foglio di calcolo ha trasformato questo codice in un numero ({detail}) e alcune cifre sono perse. "
        "Formattare la colonna come testo e inserire di nuovo il codice.",
    ),
    Code(
        "ambiguous_date",
        "rejected",
        "{detail} can be read as two different dates. Write it as YYYY-MM-DD.",
        "{detail} si può leggere come due date diverse. Scriverla come AAAA-MM-GG.",
    ),
    Code(
        "bad_email",
        "rejected",
        "The cell does not hold one e-mail address: {detail}.",
        "La cella non contiene un indirizzo e-mail: {detail}.",
    ),
    Code(
        "unknown_country",
        "rejected",
        "No country is called {detail}. Use its two letters, like IT.",
        "Nessun paese si chiama {detail}. Usare le sue due lettere, come IT.",
    ),
    Code(
        "bad_date",
        "rejected",
        "The cell does not hold a date: {detail}. Write it as YYYY-MM-DD.",
        "La cella non contiene una data: {detail}. Scriverla come AAAA-MM-GG.",
    ),
    Code(
        "bad_whole_number",
        "rejected",
        "The cell does not hold a whole number that can be read in one way only: {detail}. Write digits alone.",
        "La cella non contiene un numero intero leggibile in un solo modo: {detail}. Scrivere solo cifre.",
    ),
    Code(
        "bad_number",
        "rejected",
        "The cell does not hold a number that can be read in one way only: {detail}. Write it without thousands marks.",
        "La cella non contiene un numero leggibile in un solo modo: {detail}. Scriverlo senza separatori di migliaia.",
    ),
    Code(
        "number_out_of_range",
        "rejected",
        "The number is not within its bounds: {detail}.",
        "Il numero non è entro i limiti: {detail}.",
    ),
    Code(
        "not_a_choice",
        "rejected",
        "The column does not take {detail}. Its note in the template lists the words that it takes.",
        "La colonna non accetta {detail}. La nota nel modello elenca le parole ammesse.",
    ),
    Code(
        "not_yes_or_no",
        "rejected",
        "The cell says neither yes nor no: {detail}.",
        "La cella non dice né sì né no: {detail}.",
    ),
    Code(
        "text_too_long",
        "rejected",
        "The text is too long (characters): {detail}.",
        "Il testo è troppo lungo (caratteri): {detail}.",
    ),
    Code(
        "mistyped_code",
        "rejected",
        "The code has a typing error: its check character does not fit. Compare it with the original.",
        "Il codice contiene un errore di battitura: il carattere di controllo non corrisponde. Confrontarlo con "
        "l'originale.",
    ),
    Code(
        "unknown_voucher",
        "rejected",
        "No voucher with this code is known for this account.",
        "Nessun voucher con questo codice è noto per questo account.",
    ),
    Code(
        "already_redeemed",
        "rejected",
        "This voucher was redeemed before with other details.",
        "Questo voucher è già stato riscattato con altri dati.",
    ),
    Code(
        "voucher_redeemed",
        "rejected",
        "The voucher has been redeemed: revoke its license instead.",
        "Il voucher è stato riscattato: revocare invece la sua licenza.",
    ),
    Code("voucher_expired", "rejected", "The voucher expired on {detail}.", "Il voucher è scaduto il {detail}."),
    Code("voucher_void", "rejected", "The voucher was made void.", "Il voucher è stato annullato."),
    Code(
        "host_required",
        "rejected",
        "The product {detail} is bound to a host: give the host ID.",
        "Il prodotto {detail} è legato a un host: indicare l'ID host.",
    ),
    Code(
        "no_key_needed",
        "accepted",
        "Registered for support. The certificate prints its key, so nothing is to be activated.",
        "Registrato per il supporto. Il certificato stampa già la chiave, quindi non c'è nulla da attivare.",
    ),
    Code(
        "unknown_serial",
        "rejected",
        "No serial with this number is known. Compare it with the certificate.",
        "Nessun numero di serie uguale è noto. Confrontarlo con il certificato.",
    ),
    Code(
        "serial_void",
        "rejected",
        "The serial was made void. Ask the vendor.",
        "Il numero di serie è stato annullato. Rivolgersi al fornitore.",
    ),
    Code(
        "serial_renews_maintenance",
        "rejected",
        "This serial renews maintenance: send it as renew-maintenance, with the license.",
        "Questo numero di serie rinnova la manutenzione: inviarlo come renew-maintenance, con la licenza.",
    ),
    Code(
        "already_registered",
        "rejected",
        "This serial has been registered before.",
        "Questo numero di serie è già stato registrato.",
    ),
    Code(
        "serial_used_up",
        "rejected",
        "The whole quantity of this serial has been registered.",
        "L'intera quantità di questo numero di serie è già stata registrata.",
    ),
    Code(
        "quantity_not_left",
        "rejected",
        "Not so many are left: {detail}. Lower the quantity, or leave it blank for all that is left.",
        "Non ne restano così tanti: {detail}. Ridurre la quantità, o lasciarla vuota per tutto il resto.",
    ),
    Code(
        "serial_in_use",
        "rejected",
        "A customer has registered the serial, so its {detail} can no longer change.",
        "Un cliente ha registrato il numero di serie, quindi {detail} non si può più cambiare.",
    ),
    Code(
        "unknown_license",
        "rejected",
        "No license with this number is known for this account.",
        "Nessuna licenza con questo numero è nota per questo account.",
    ),
    Code(
        "license_read_only",
        "rejected",
        "The license is shared with this account for reading only.",
        "La licenza è condivisa con questo account in sola lettura.",
    ),
    Code(
        "license_of_another",
        "rejected",
        "The license is only shared with this account; its owner alone may do this.",
        "La licenza è solo condivisa con questo account; può farlo solo il titolare.",
    ),
    Code(
        "license_not_active",
        "rejected",
        "The license is no longer active: {detail}.",
        "La licenza non è più attiva: {detail}.",
    ),
    Code(
        "license_without_host",
        "rejected",
        "The license is not bound to a host, so there is nothing to move.",
        "La licenza non è legata a un host, quindi non c'è nulla da trasferire.",
    ),
    Code(
        "rehost_limit_reached",
        "rejected",
        "The license was moved as often as it may be: {detail}. Ask the vendor.",
        "La licenza è stata trasferita il massimo di volte consentito: {detail}. Rivolgersi al fornitore.",
    ),
    Code(
        "license_required",
        "rejected",
        "The row names no license: give a license number, or its serial.",
        "La riga non indica una licenza: indicare un numero di licenza o il suo numero di serie.",
    ),
    Code(
        "several_licenses",
        "rejected",
        "The serial became several licenses ({detail}): give the license number.",
        "Dal numero di serie sono nate più licenze ({detail}): indicare il numero di licenza.",
    ),
    Code(
        "serial_makes_license",
        "rejected",
        "This serial does not renew maintenance: send it as register-serials.",
        "Questo numero di serie non rinnova la manutenzione: inviarlo come register-serials.",
    ),
    Code(
        "renewal_of_another_product",
        "rejected",
        "The renewal serial is for another product than the license.",
        "Il numero di serie del rinnovo è per un prodotto diverso da quello della licenza.",
    ),
    Code(
        "renewal_too_small",
        "rejected",
        "The renewal covers a smaller quantity than the license has: {detail}.",
        "Il rinnovo copre una quantità inferiore a quella della licenza: {detail}.",
    ),
    Code(
        "maintenance_lapsed",
        "rejected",
        "Maintenance lapsed on {detail}. Ask the vendor to reinstate it.",
        "La manutenzione è scaduta il {detail}. Chiedere al fornitore di ripristinarla.",
    ),
    Code(
        "maintenance_renewed",
        "rejected",
        "A renewal has extended this maintenance until {detail}, so a load no longer changes its dates.",
        "Un rinnovo ha prolungato questa manutenzione fino al {detail}, quindi un caricamento non ne cambia le date.",
    ),
    Code(
        "dates_reversed",
        "rejected",
        "The last day lies before the first: {detail}.",
        "L'ultimo giorno precede il primo: {detail}.",
    ),
    Code(
        "unknown_notification",
        "rejected",
        "No upgrade notification with this ID is known for this account.",
        "Nessuna notifica di aggiornamento con questo ID è nota per questo account.",
    ),
    Code(
        "several_notifications",
        "rejected",
        "Several upgrades were offered for this license: give the notification ID.",
        "Per questa licenza sono stati offerti più aggiornamenti: indicare l'ID di notifica.",
    ),
    Code(
        "notification_used",
        "rejected",
        "The whole quantity of this notification has been upgraded.",
        "L'intera quantità di questa notifica è già stata aggiornata.",
    ),
    Code(
        "product_not_offered",
        "rejected",
        "The notification does not offer this product. Choose from: {detail}.",
        "La notifica non offre questo prodotto. Scegliere tra: {detail}.",
    ),
    Code(
        "nothing_to_annotate",
        "rejected",
        "The list has no column besides the license, so there is nothing to save.",
        "L'elenco non ha altre colonne oltre alla licenza, quindi non c'è nulla da salvare.",
    ),
    Code(
        "column_twice",
        "rejected",
        "Two columns are called {detail}: rename one of them.",
        "Due colonne si chiamano {detail}: rinominarne una.",
    ),
    Code(
        "untitled_column",
        "rejected",
        "The column of this cell has no title, so its data has no name: {detail}.",
        "La colonna di questa cella non ha titolo, quindi il dato non ha nome: {detail}.",
    ),
    Code(
        "too_many_fields",
        "rejected",
        "A license keeps no more fields than that: {detail}. Delete some with (delete) in their cells.",
        "Una licenza non conserva più campi di così: {detail}. Eliminarne con (elimina) nelle celle.",
    ),
    Code(
        "customer_required",
        "rejected",
        "The row names no customer: give a company, or a customer number.",
        "La riga non indica un cliente: indicare una ragione sociale o un numero cliente.",
    ),
    Code(
        "not_delegated",
        "rejected",
        "This account may not act for a customer with this number.",
        "Questo account non può agire per un cliente con questo numero.",
    ),
    Code(
        "unknown_recipient",
        "rejected",
        "No active account with this number is known, so the license cannot be shared with it.",
        "Nessun account attivo con questo numero è noto, quindi la licenza non può essere condivisa.",
    ),
    Code(
        "recipient_holds_it",
        "rejected",
        "This account holds the license already.",
        "Questo account detiene già la licenza.",
    ),
    Code("unknown_account", "rejected", "No account {detail} is known.", "Nessun account {detail} è noto."),
    Code(
        "not_an_oem",
        "rejected",
        "The account {detail} is not an OEM, and only OEMs hold vouchers.",
        "L'account {detail} non è un OEM, e solo gli OEM hanno voucher.",
    ),
    Code("unknown_product", "rejected", "No product {detail} is known.", "Nessun prodotto {detail} è noto."),
    Code(
        "voucher_in_use",
        "rejected",
        "The voucher was redeemed, so its {detail} can no longer change.",
        "Il voucher è stato riscattato, quindi {detail} non si può più cambiare.",
    ),
    Code(
        "voucher_of_another",
        "rejected",
        "This code was loaded before for another account.",
        "Questo codice è già stato caricato per un altro account.",
    ),
    Code(
        "reference_reused",
        "rejected",
        "An order with the reference {detail} exists with other details. Use a new reference for a new order.",
        "Esiste un ordine con il riferimento {detail} e altri dati. Usare un nuovo riferimento per un nuovo ordine.",
    ),
    Code(
        "version_required",
        "rejected",
        "A release date, upgrade path or download needs a version in the same row.",
        "Una data di rilascio, un percorso di aggiornamento o un download richiede una versione nella stessa riga.",
    ),
    Code(
        "unknown_release",
        "rejected",
        "The product has no version {detail}: load it first.",
        "Il prodotto non ha la versione {detail}: caricarla prima.",
    ),
    Code(
        "not_released",
        "rejected",
        "Owners are notified of a version from its release date on, and this one has: {detail}.",
        "I titolari si avvisano di una versione dalla sua data di rilascio, e questa ha: {detail}.",
    ),
    Code(
        "unknown_version",
        "rejected",
        "The upgrade path names {detail}, which is not a known version.",
        "Il percorso di aggiornamento indica {detail}, che non è una versione nota.",
    ),
    Code(
        "bad_digest",
        "rejected",
        "A SHA-256 digest has 64 hexadecimal digits, and this is none: {detail}.",
        "Un'impronta SHA-256 ha 64 cifre esadecimali, e questa non lo è: {detail}.",
    ),
    Code(
        "bad_object_name",
        "rejected",
        "No object of the store can have this name: {detail}. Write plain names with slashes between them.",
        "Nessun oggetto dell'archivio può avere questo nome: {detail}. Scrivere nomi semplici separati da barre.",
    ),
    Code(
        "account_in_use",
        "rejected",
        "The account exists with another type ({detail}), and a type never changes.",
        "L'account esiste con un altro tipo ({detail}), e il tipo non cambia mai.",
    ),
    Code(
        "batch_cancelled",
        "skipped",
        "The batch was cancelled before this row's turn.",
        "Il lotto è stato annullato prima di questa riga.",
    ),
    Code(
        "batch_stopped",
        "skipped",
        "Another row was rejected and the batch was sent as all or nothing, so nothing was done.",
        "Un'altra riga è stata respinta e il lotto era tutto o niente, quindi nulla è stato fatto.",
    ),
    Code(
        "differs_from_preview",
        "skipped",
        "An answer would have differed from the preview and the batch was sent as exact, so nothing was done.",
        "Una risposta sarebbe stata diversa dall'anteprima e il lotto era esatto, quindi nulla è stato fatto.",
    ),
    Code(
        "account_stopped",
        "skipped",
        "The account named too many unknown codes and was stopped. Ask the vendor.",
        "L'account ha indicato troppi codici sconosciuti ed è stato bloccato. Rivolgersi al fornitore.",
    ),
    Code(
        "chunk_parked",
        "skipped",
        "This part of the batch failed three times and was set aside; the vendor can retry it. {detail}",
        "Questa parte del lotto è fallita tre volte ed è stata messa da parte; il fornitore può riprovarla. {detail}",
    ),
)

# Answers to codes that do not exist: too many of them, and the sender is guessing.
GUESSES = frozenset(
    {
        "unknown_voucher",
        "unknown_serial",
        "unknown_license",
        "unknown_notification",
        "unknown_recipient",
        "unknown_contract",
    }
)
CODES: dict[str, Code] = {entry.code: entry for entry in _ALL}
# Of rows that did something (a list of downloads is only a list), and of rows that found it done.
WRITTEN = frozenset(entry.code for entry in _ALL if entry.outcome in ("issued", "accepted")) - {"downloads_listed"}
UNCHANGED = frozenset(entry.code for entry in _ALL if entry.outcome == "unchanged")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A bad row or cell, as a value: the code, what the sentence adds, and the field it came from (if one)."""

    code: str
    detail: str = ""
    field: str | None = None
