"""What ends a batch or a request without a traceback: refusals that a sender reads."""

from __future__ import annotations

from licensing.fields import Language


class Refused(Exception):
    """A request that cannot be taken, with a stable code and a sentence in two languages."""

    def __init__(self, code: str, en: str, it: str) -> None:
        super().__init__(en)
        self.code, self.en, self.it = code, en, it

    def sentence(self, language: Language = "en") -> str:
        """The sentence for a person."""
        return self.it if language == "it" else self.en


def emptied(batch_id: int) -> Refused:
    """Why something cannot be done with a batch whose rows and files retention has deleted."""
    return Refused(
        "content_deleted",
        f"The rows and files of batch {batch_id} were deleted because of their age (schedule of the job retention). "
        "What it did stays; its counts: keymill show " + str(batch_id),
        f"Le righe e i file del lotto {batch_id} sono stati eliminati per la loro età (pianificazione del lavoro "
        "retention). Ciò che ha fatto resta; i suoi conteggi: keymill show " + str(batch_id),
    )


class BatchRefused(Refused):
    """A batch whose file cannot be read; the batch fails and says so."""

    def as_reason(self) -> dict[str, str]:
        """The form that is stored with the batch."""
        return {"code": self.code, "en": self.en, "it": self.it}
