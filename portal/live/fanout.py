"""Fan-out in memory: bounded mailboxes, and watches over streams. Pure: no loop, no database.

The contract towards a reader, whatever it missed: per stream, numbers go up
without a gap, or a ``resync`` frame stands where the gap is.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from portal.live import frames
from portal.live.cursor import NO_STREAM, Cursor
from portal.live.frames import Message


class Mailbox:
    """Frames that wait for one reader.

    Where a frame of a stream does not fit, the stream is marked lost and takes
    no further frame until the reader was told to read it anew.
    """

    __slots__ = ("frames", "limit", "lost")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.frames: deque[Message] = deque()
        self.lost: set[str] = set()

    def offer(self, stream: str, message: Message) -> None:
        if stream in self.lost:
            return
        if len(self.frames) >= self.limit:
            self.lost.add(stream)
        else:
            self.frames.append(message)

    def push(self, message: Message) -> None:
        """An answer to the reader: never dropped, since the reader waits for its own."""
        self.frames.append(message)

    @property
    def crowded(self) -> bool:
        """Answers and replay wait while half the box is taken, so that live frames still find room."""
        return len(self.frames) >= self.limit // 2


@dataclass(eq=False, slots=True)
class Watch:
    """A stream that somebody follows: how far it was fanned out, and to whom.

    ``readers`` holds the number up to which each reader already had everything
    when it joined: its own replay may be ahead of the tailer.
    """

    name: str
    cursor: Cursor
    readers: dict[Mailbox, int] = field(default_factory=dict)

    def deliver(self, cursor: Cursor, message: Message) -> None:
        """Hand on the next row of the stream."""
        number = cursor.number
        for reader, since in self.readers.items():
            if number > since:
                reader.offer(self.name, message)
        self.cursor = cursor

    def move(self, cursor: Cursor, message: Message) -> None:
        """The stream goes on elsewhere (another epoch, pruned, derived anew): every reader is told."""
        self.cursor = cursor
        for reader in self.readers:
            self.readers[reader] = cursor.number
            reader.offer(self.name, message)

    def join(self, reader: Mailbox, reached: Cursor) -> None:
        """Take in a reader who has everything up to ``reached``, in the life of this watch or in its first."""
        if self.cursor == NO_STREAM.now:
            # The stream has begun since: were it restored now, this reader would not be told that its life is over.
            self.cursor = Cursor(reached.epoch, self.cursor.number)
        self.readers[reader] = reached.number
        reader.lost.discard(self.name)

    def leave(self, reader: Mailbox) -> None:
        self.readers.pop(reader, None)
        reader.lost.discard(self.name)

    def admit_loss(self, reader: Mailbox) -> None:
        """The reader has room again: one frame says that it must read this stream anew, from here on."""
        reader.lost.discard(self.name)
        self.readers[reader] = self.cursor.number
        reader.push(frames.resync(self.name, self.cursor))
