"""Names as fields of what is decoded. They stand apart from names.py so that a command which decodes nothing needn't
import msgspec."""

from typing import Annotated, Final

from msgspec import Meta

from streamrelay.protocol.limits import MOST_LABELS
from streamrelay.protocol.names import CHANNEL, HOST, LONGEST_HOST, OPAQUE, TARGET, TERMINAL, ZONE

Host = Annotated[str, Meta(pattern=f"^{HOST}\\Z", max_length=LONGEST_HOST)]
Target = Annotated[str, Meta(pattern=f"^{TARGET}\\Z", max_length=256)]
Stream = Annotated[str, Meta(pattern=f"^{OPAQUE}\\Z")]
StreamOrChannel = Annotated[str, Meta(pattern=f"^{CHANNEL}\\Z")]
Terminal = Annotated[str, Meta(pattern=f"^{TERMINAL}\\Z")]
TerminalOrNone = Annotated[str, Meta(pattern=f"^(?:{TERMINAL})?\\Z")]
Url = Annotated[str, Meta(pattern=r"^wss?://[!-?A-~]{1,500}\Z")]  # no user@, as logs show it

Zone = Annotated[str, Meta(pattern=f"^{ZONE}\\Z")]
"""Place of a relay, or a host, by a name of the operator's; empty: none in particular."""

Word = Annotated[str, Meta(max_length=64, pattern=r"^[a-z0-9_-]*\Z")]
"""One word for programs, such as a kind; there may be others than we know."""

LabelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}\Z")]
LabelValue = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:@+/-]{0,63}\Z")]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=MOST_LABELS)]
"""Words about a host, by which hosts are found: ``site = "fra"``."""
LABEL_WORDS: Final = (
    f'at most {MOST_LABELS}, each NAME = "VALUE": names of 1 to 63 a-z0-9_.- that begin with a letter or digit, '
    "values of at most 63 A-Za-z0-9_.:@+/-"
)

Address = Annotated[str, Meta(max_length=64, pattern=r"^[0-9A-Fa-f.:%a-z]*\Z")]
"""An IP address, as its host tells it; empty: it doesn't."""

Version = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9.+!_-]*\Z")]
"""A program's version, as Python writes it (PEP 440)."""
