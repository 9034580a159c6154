//! Bounded reading of a log: unpacked if it is packed, its head and its tail kept, the middle dropped.
//!
//! A job may print without end, and what proves how it ended stands at the end. So a log that is too long is
//! neither held in memory nor cut off at its tail. No socket here.

use std::collections::VecDeque;
use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// How much of a log is read and kept, in bytes of text.
#[derive(Debug, Clone)]
pub struct LogLimits {
    /// Passed on from the beginning.
    pub head_bytes: usize,
    /// Kept back from the end, in memory.
    pub tail_bytes: usize,
    /// Read at most, packed and unpacked; then reading stops. It bounds what a small packed body can unfold to.
    pub read_bytes: u64,
}

impl Default for LogLimits {
    /// 28 MiB and 4 MiB, 32 MiB in all, which is more than a person reads and fits any runner; the end is the smaller
    /// part, for it is held in memory. 512 MiB read, which a runner unpacks within the deadline of a log.
    fn default() -> Self {
        Self {
            head_bytes: 28 * 1024 * 1024,
            tail_bytes: 4 * 1024 * 1024,
            read_bytes: 512 * 1024 * 1024,
        }
    }
}

/// What was read of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedLog {
    /// Bytes of text read, those left out included.
    pub read_bytes: u64,
    /// Bytes of text left out between head and tail, where the sink got one line that says so.
    pub omitted_bytes: u64,
    /// Whether reading stopped at the limit: the log goes on, and its end was not seen.
    pub truncated: bool,
}

/// Every gzip stream begins so; log storage was seen to send packed bodies under no particular header.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// How much of the tail is passed on at once. A sink makes lines of what it gets, which take several times the room.
const PIECE_BYTES: usize = 64 * 1024;

/// A log being read.
pub(super) enum Unpacked<F: FnMut(&[u8])> {
    /// Too short yet to tell.
    Sniffing {
        first: Vec<u8>,
        kept: Kept<F>,
    },
    Plain(Kept<F>),
    Gzip(Box<MultiGzDecoder<Kept<F>>>),
    /// Only while the kind is being decided.
    Nothing,
}

impl<F: FnMut(&[u8])> Unpacked<F> {
    pub(super) fn new(limits: &LogLimits, sink: F) -> Self {
        Self::Sniffing {
            first: Vec::new(),
            kept: Kept::new(limits, sink),
        }
    }

    /// Takes the next bytes of the body; `false` when no more are wanted.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if let Self::Sniffing { first, .. } = self {
            first.extend_from_slice(bytes);
            if first.len() < GZIP_MAGIC.len() {
                return Ok(true);
            }
            return self.decide();
        }
        self.put(bytes)
    }

    /// Ends the log and says what it was.
    pub(super) fn finish(mut self) -> io::Result<FetchedLog> {
        if let Self::Sniffing { .. } = self {
            self.decide()?;
        }
        match self {
            Self::Plain(mut kept) => Ok(kept.close()),
            Self::Gzip(mut gzip) => {
                if !gzip.get_ref().full {
                    // A stream that ends in the middle is an error; one that we stopped reading is not.
                    gzip.try_finish()?;
                }
                Ok(gzip.get_mut().close())
            }
            Self::Sniffing { mut kept, .. } => Ok(kept.close()),
            Self::Nothing => Err(io::Error::other("the log has ended already")),
        }
    }

    fn decide(&mut self) -> io::Result<bool> {
        let Self::Sniffing { first, kept } = std::mem::replace(self, Self::Nothing) else {
            return Ok(true);
        };
        *self = if first.starts_with(&GZIP_MAGIC) {
            Self::Gzip(Box::new(MultiGzDecoder::new(kept)))
        } else {
            Self::Plain(kept)
        };
        self.put(&first)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let (result, full) = match self {
            Self::Plain(kept) => (kept.write_all(bytes), kept.full),
            Self::Gzip(gzip) => {
                let result = gzip.write_all(bytes);
                (result, gzip.get_ref().full)
            }
            Self::Sniffing { .. } | Self::Nothing => (Ok(()), false),
        };
        // The limit stops the decoder with an error of its own making.
        if full {
            Ok(false)
        } else {
            result.map(|()| true)
        }
    }
}

/// Passes the head on and holds the tail back.
pub(super) struct Kept<F: FnMut(&[u8])> {
    sink: F,
    head_left: usize,
    tail: VecDeque<u8>,
    tail_bytes: usize,
    read: u64,
    read_limit: u64,
    omitted: u64,
    full: bool,
}

impl<F: FnMut(&[u8])> Kept<F> {
    fn new(limits: &LogLimits, sink: F) -> Self {
        Self {
            sink,
            head_left: limits.head_bytes,
            tail: VecDeque::new(),
            tail_bytes: limits.tail_bytes,
            read: 0,
            read_limit: limits.read_bytes,
            omitted: 0,
            full: false,
        }
    }

    /// Passes the tail on, after one line about what is missing before it.
    fn close(&mut self) -> FetchedLog {
        if self.omitted > 0 {
            // The tail begins with whole lines: half of one would run on from nowhere.
            if let Some(end) = self.tail.iter().position(|byte| *byte == b'\n') {
                self.omitted += self.tail.drain(..=end).len() as u64;
            }
            let note = format!("\n[{} bytes of this log are left out here]\n", self.omitted);
            (self.sink)(note.as_bytes());
        }
        let (front, back) = self.tail.as_slices();
        for piece in front.chunks(PIECE_BYTES).chain(back.chunks(PIECE_BYTES)) {
            (self.sink)(piece);
        }
        self.tail.clear();
        FetchedLog {
            read_bytes: self.read,
            omitted_bytes: self.omitted,
            truncated: self.full,
        }
    }
}

impl<F: FnMut(&[u8])> Write for Kept<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.read_limit.saturating_sub(self.read);
        if room == 0 && !bytes.is_empty() {
            self.full = true;
            return Err(io::Error::other("the log is longer than is read"));
        }
        let wanted = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (bytes, _) = bytes.split_at(wanted);
        self.read += bytes.len() as u64;

        let (head, rest) = bytes.split_at(bytes.len().min(self.head_left));
        if !head.is_empty() {
            (self.sink)(head);
            self.head_left -= head.len();
        }
        let overflow = (self.tail.len() + rest.len()).saturating_sub(self.tail_bytes);
        self.omitted += overflow as u64;
        let from_tail = overflow.min(self.tail.len());
        self.tail.drain(..from_tail);
        let (_, rest) = rest.split_at(overflow - from_tail);
        if self.tail.is_empty() && !rest.is_empty() {
            // Once and for all: growing step by step holds up to twice as much for a moment.
            self.tail.reserve_exact(self.tail_bytes);
        }
        self.tail.extend(rest);
        Ok(wanted)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const SMALL: LogLimits = LogLimits {
        head_bytes: 10,
        tail_bytes: 12,
        read_bytes: 1000,
    };

    fn read(limits: &LogLimits, body: &[u8], chunk: usize) -> io::Result<(String, FetchedLog)> {
        let mut text = Vec::new();
        let mut log = Unpacked::new(limits, |bytes: &[u8]| text.extend_from_slice(bytes));
        for part in body.chunks(chunk) {
            if !log.take(part)? {
                break;
            }
        }
        let fetched = log.finish()?;
        Ok((String::from_utf8(text).unwrap(), fetched))
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn a_log_within_the_limits_comes_through_byte_for_byte() {
        for body in ["", "a", "ab", "one\ntwo\n", "exactly twenty-two....."] {
            let body = body.get(..22.min(body.len())).unwrap();
            for packed in [body.as_bytes().to_vec(), gzip(body.as_bytes())] {
                for chunk in [1, 2, 7, 100] {
                    let (text, log) = read(&SMALL, &packed, chunk).unwrap();
                    assert_eq!(text, body);
                    assert_eq!((log.omitted_bytes, log.truncated), (0, false));
                }
            }
        }
    }

    #[test]
    fn a_held_back_end_is_handed_on_in_pieces() {
        let limits = LogLimits {
            head_bytes: 10,
            tail_bytes: 3 * PIECE_BYTES,
            read_bytes: u64::MAX,
        };
        let mut largest = 0;
        let mut log = Unpacked::new(&limits, |bytes: &[u8]| largest = largest.max(bytes.len()));
        for _ in 0..10 * PIECE_BYTES / 10 {
            log.take(b"0123456789").unwrap();
        }
        assert!(log.finish().unwrap().omitted_bytes > 0);
        assert_eq!(largest, PIECE_BYTES);
    }

    #[test]
    fn a_long_log_keeps_its_head_and_its_last_whole_lines() {
        let body = b"first\nsecond\nthird\nfourth\nfifth\nlast\n";
        for chunk in [1, 3, 100] {
            let (text, log) = read(&SMALL, body, chunk).unwrap();
            insta::allow_duplicates! {
                insta::assert_snapshot!(text, @r"
                first
                seco
                [16 bytes of this log are left out here]
                fifth
                last
                ");
            }
            assert_eq!((log.read_bytes, log.truncated), (37, false));
        }
    }

    #[test]
    fn several_gzip_members_are_one_log() {
        let body = [gzip(b"one\n"), gzip(b"two\n")].concat();
        assert_eq!(read(&SMALL, &body, 5).unwrap().0, "one\ntwo\n");
    }

    #[test]
    fn a_packed_log_that_unfolds_without_end_is_stopped() {
        let bomb = gzip(&vec![b'x'; 10_000_000]);
        assert!(bomb.len() < 20_000);
        let (text, log) = read(&SMALL, &bomb, 4096).unwrap();
        assert_eq!((log.read_bytes, log.truncated), (1000, true));
        assert!(text.len() < 100, "{text}");
    }

    #[test]
    fn a_plain_log_without_end_is_stopped() {
        let (_, log) = read(&SMALL, &[b'x'; 5000], 300).unwrap();
        assert_eq!((log.read_bytes, log.truncated), (1000, true));
    }

    #[test]
    fn a_packed_log_that_breaks_off_is_an_error() {
        let whole = gzip(b"one\ntwo\nthree\n");
        assert!(read(&SMALL, &whole[..whole.len() - 9], 4).is_err());
        let mut corrupt = whole;
        if let Some(byte) = corrupt.last_mut() {
            *byte ^= 1;
        }
        assert!(read(&SMALL, &corrupt, 4).is_err());
    }
}
