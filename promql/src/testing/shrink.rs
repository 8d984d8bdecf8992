//! From what fails to the least of it that still does.

/// What can be made smaller.
pub trait Shrink: Sized {
    /// Others that are a little smaller, the smallest first where that is known, and may well mean something else.
    /// None of them leads back to this one.
    fn smaller(&self) -> Vec<Self>;
}

/// The smallest that can be reached from this one, step by step, each of which still `fails`.
pub fn shrink<T: Shrink>(mut failing: T, fails: impl Fn(&T) -> bool) -> T {
    while let Some(smaller) = failing.smaller().into_iter().find(&fails) {
        failing = smaller;
    }
    failing
}
