//! Which modules a block finds loaded, as every replica counts it, whatever an engine holds.

use crate::execute::Module;
use crate::vm::price;
use std::collections::VecDeque;
use std::sync::Arc;

/// Modules that were called in a block and are still counted as loaded, the one that was called last at the end.
#[derive(Default)]
pub(super) struct Loads {
    modules: VecDeque<Arc<Module>>,
    bytes: u64,
}

impl Loads {
    /// Notes calls of modules; gas that loading takes of the block's room, where they were not loaded.
    pub fn note(&mut self, called: &[Arc<Module>]) -> u64 {
        called.iter().map(|module| self.call(module)).sum()
    }

    fn call(&mut self, module: &Arc<Module>) -> u64 {
        let found = self.modules.iter().rposition(|loaded| loaded.code == module.code);
        if let Some(found) = found.and_then(|place| self.modules.remove(place)) {
            self.modules.push_back(found);
            return 0;
        }
        self.modules.push_back(Arc::clone(module));
        self.bytes += held(module);
        while self.bytes > price::MODULES_HELD {
            let Some(oldest) = self.modules.pop_front() else { break };
            self.bytes -= held(&oldest);
        }
        price::module(module.bytes)
    }
}

/// What a module counts for.
fn held(module: &Module) -> u64 {
    price::MODULE_HELD + u64::from(module.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenor_abi::id::CodeHash;

    #[test]
    fn what_was_called_longest_ago_is_not_loaded_any_more() {
        let module =
            |number: u8, bytes: u64| Arc::new(Module { code: CodeHash([number; 32]), bytes: bytes as u32 });
        let third = price::MODULES_HELD / 3 - price::MODULE_HELD;
        let [a, b, c, d] = [1, 2, 3, 4].map(|number| module(number, third));
        let gas = price::module(a.bytes);
        let mut loads = Loads::default();
        let mut note =
            |called: &[&Arc<Module>]| loads.note(&called.iter().copied().cloned().collect::<Vec<_>>());
        assert_eq!(note(&[&a, &b, &c]), 3 * gas);
        assert_eq!(note(&[&a, &c, &a]), 0);
        // `b` makes room for `d`, and comes again in the place of `c`.
        assert_eq!(note(&[&d, &b]), 2 * gas);
        assert_eq!(note(&[&a, &d, &b]), 0);
        assert_eq!(note(&[&c]), gas);
    }
}
