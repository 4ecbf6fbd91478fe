//! The nodes of this process, so that `Cart::client(name)` finds the one that is meant.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::{call_error::CallError, scope};

use super::EngineInner;

static ENGINES: Mutex<Vec<Weak<EngineInner>>> = Mutex::new(Vec::new());

pub(super) fn register(engine: &Arc<EngineInner>) {
    let mut engines = ENGINES.lock();
    engines.retain(|known| known.strong_count() > 0);
    engines.push(Arc::downgrade(engine));
}

pub(super) fn unregister(engine: *const EngineInner) {
    ENGINES.lock().retain(|known| !std::ptr::eq(known.as_ptr(), engine));
}

/// The node of the handler that this is called in, else the only one of the process.
pub(crate) fn current() -> Result<Arc<EngineInner>, CallError> {
    if let Some(engine) = scope::with(|scope| scope.map(|scope| scope.engine.clone())) {
        return engine.upgrade().ok_or(CallError::NoNode);
    }
    let mut running = ENGINES.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
    match (running.pop(), running.is_empty()) {
        (Some(engine), true) => Ok(engine),
        (Some(_), false) => Err(CallError::SeveralNodes),
        (None, _) => Err(CallError::NoNode),
    }
}
