//! Named places between two steps of a protocol, where a test may have the process end or stand still. Without the
//! feature `testing` they are nothing.

/// A place between two steps.
#[cfg(not(feature = "testing"))]
#[doc(hidden)]
#[inline(always)]
pub fn fault_point(_: &'static str) {}

#[cfg(feature = "testing")]
pub use self::armed::{at_fault_points, fault_point};

#[cfg(feature = "testing")]
mod armed {
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(&'static str) + Send + Sync>;

    static HOOK: OnceLock<Hook> = OnceLock::new();

    /// A place between two steps.
    #[doc(hidden)]
    pub fn fault_point(name: &'static str) {
        if let Some(hook) = HOOK.get() {
            hook(name);
        }
    }

    /// From now on this process calls `hook` wherever it passes a place between two steps, with the name of the place.
    /// Only the first hook of a process counts.
    pub fn at_fault_points(hook: impl Fn(&'static str) + Send + Sync + 'static) {
        // A second one is refused, as documented.
        let _ = HOOK.set(Box::new(hook));
    }
}
