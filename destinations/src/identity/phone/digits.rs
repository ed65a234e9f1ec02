//! A number's digits, on the stack.

/// No more digits than this can be a number: 17 national ones, 3 of the country and every prefix that any
/// region strips (at most 8 to dial abroad, at most 15 within the country, twice) stay below it.
pub(super) const MOST: usize = 56;

/// What a rule may put in front on the way ("0549" before a San Marino number), twice.
const CAPACITY: usize = MOST + 8;

/// ASCII digits without heap. Pushing past the capacity is refused.
#[derive(Clone, Copy)]
pub(super) struct Digits {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Digits {
    pub(super) const fn new() -> Self {
        Self { bytes: [0; CAPACITY], len: 0 }
    }

    /// Copies digits; None when they are too many.
    pub(super) fn copy(digits: &[u8]) -> Option<Self> {
        let mut copy = Self::new();
        copy.extend(digits).then_some(copy)
    }

    /// Appends one; false when there is no room.
    pub(super) fn push(&mut self, digit: u8) -> bool {
        let room = self.len < CAPACITY;
        if room {
            self.bytes[self.len] = digit;
            self.len += 1;
        }
        room
    }

    /// Appends several; false when there is no room.
    pub(super) fn extend(&mut self, digits: &[u8]) -> bool {
        let end = self.len + digits.len();
        let room = end <= CAPACITY;
        if room {
            self.bytes[self.len..end].copy_from_slice(digits);
            self.len = end;
        }
        room
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}
