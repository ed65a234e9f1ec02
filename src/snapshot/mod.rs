//! What each target holds, and the difference to what it should.
