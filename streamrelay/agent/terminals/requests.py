"""The platform's requests about a host's terminals, which come on the subject of ends."""

from collections.abc import Callable

from streamrelay.agent.summonses import Summonses
from streamrelay.agent.terminals.terminals import NONE, Terminals
from streamrelay.bus.message import Message
from streamrelay.protocol.close import CloseCode, outcome
from streamrelay.protocol.summons import Answer, Refusal
from streamrelay.protocol.terminals import EndTerminal, ListTerminals, TerminalsAnswer


def answer_terminals(
    message: Message,
    requests: Summonses[Message],
    terminals: Terminals,
    reply: Callable[[list[Message], Answer | TerminalsAnswer], None],
) -> bool:
    """Answer a message if it is such a request; return False if it is none, or isn't valid here."""
    try:
        requests.read(message.data, "terminals", ListTerminals)
    except ValueError:
        pass
    else:
        reply([message], TerminalsAnswer(tuple(terminals.infos())))
        return True
    try:
        end = requests.read(message.data, "end_terminal", EndTerminal)
    except ValueError:
        return False
    ended = terminals.end(end.terminal, end.user, outcome(CloseCode.OPERATOR, end.reason))
    reply([message], Answer(ready=True) if ended else Answer(refused=Refusal.NO_SUCH_TERMINAL, reason=NONE))
    return True
