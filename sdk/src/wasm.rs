//! What wasm needs of a library without the standard one: an allocator and a panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

const PAGE_BYTES: usize = 65536;

/// Hands out memory and takes none back: a call is short, and its instance is thrown away after it.
struct Bump {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: contracts run on one thread; the host admits no shared memory.
unsafe impl Sync for Bump {}

// SAFETY: each block lies after the one before, inside memory that `memory.grow` has given; the host ends the
// call when memory cannot grow, so a block is always there.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.next.get().next_multiple_of(layout.align());
        let end = start + layout.size();
        if end > self.end.get() || self.end.get() == 0 {
            let pages = (layout.size() + layout.align()).div_ceil(PAGE_BYTES);
            let old = core::arch::wasm32::memory_grow(0, pages) * PAGE_BYTES;
            if self.end.get() != old {
                self.next.set(old);
            }
            self.end.set(old + pages * PAGE_BYTES);
            return unsafe { self.alloc(layout) };
        }
        self.next.set(end);
        start as *mut u8
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: Cell::new(0), end: Cell::new(0) };

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
