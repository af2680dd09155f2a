//! Bytes of a file, plain or compressed, by their position in the uncompressed content.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::identity::Stat;

/// An open file.
pub(super) enum Source {
    /// As it is.
    Plain(File),
    /// Compressed with gzip. It is decompressed as a stream, so memory stays small however large it is.
    Gzip {
        /// At `position`.
        decoder: Box<MultiGzDecoder<File>>,
        /// In the uncompressed content.
        position: u64,
        /// Whether the decoder has come to an end, at which it stays even if the file has grown.
        ended: bool,
    },
}

impl Source {
    /// Opens the file at `path`.
    pub(super) fn open(path: &Path, gzip: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(if gzip {
            Self::Gzip { decoder: Box::new(MultiGzDecoder::new(file)), position: 0, ended: false }
        } else {
            Self::Plain(file)
        })
    }

    /// What the file system says about it now, whatever its name is.
    pub(super) fn stat(&self) -> io::Result<Stat> {
        let file = match self {
            Self::Plain(file) => file,
            Self::Gzip { decoder, .. } => decoder.get_ref(),
        };
        Ok(Stat::of(&file.metadata()?))
    }

    /// Whether bytes that have been read can be read again at no cost.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Reads bytes from `position` on; none at the end, or where a file that is still being compressed ends so far.
    pub(super) fn read_at(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => retry(|| file.read_at(buffer, position)),
            Self::Gzip { .. } => {
                let result = match self.read_compressed(position, buffer) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                    result => result,
                };
                if let (Self::Gzip { ended, .. }, Ok(0) | Err(_)) = (self, &result) {
                    *ended = true;
                }
                result
            }
        }
    }

    fn read_compressed(&mut self, wanted: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Gzip { decoder, position, ended } = self else { return Ok(0) };
        if wanted < *position || *ended {
            let mut file = decoder.get_ref().try_clone()?;
            file.seek(SeekFrom::Start(0))?;
            **decoder = MultiGzDecoder::new(file);
            (*position, *ended) = (0, false);
        }
        let mut skipped = [0; 8192];
        while *position < wanted {
            let room = skipped.len().min(usize::try_from(wanted - *position).unwrap_or(usize::MAX));
            match retry(|| decoder.read(&mut skipped[..room]))? {
                0 => return Ok(0),
                n => *position += n as u64,
            }
        }
        let n = retry(|| decoder.read(buffer))?;
        *position += n as u64;
        Ok(n)
    }
}

fn retry(mut read: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match read() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
