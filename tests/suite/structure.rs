//! What keeps the code findable.
