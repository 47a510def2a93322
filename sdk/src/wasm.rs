//! What wasm needs of a library without the standard one: an allocator and a panic handler.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;

const PAGE_BYTES: usize = 65536;

unsafe extern "C" {
    /// The linker's name for where a module's own data ends.
    static __heap_base: u8;
}

/// Hands out memory from behind the module's data on, and takes back only what lies last: a call is short, and
/// its instance is thrown away after it.
struct Bump {
    next: Cell<*const u8>,
}

// SAFETY: contracts run on one thread; the host admits no shared memory.
unsafe impl Sync for Bump {}

impl Bump {
    /// Memory from an address on; the first page has room already, so most calls never grow it.
    fn take(&self, start: usize, size: usize) -> *mut u8 {
        // A layout has at most half of what can be addressed, and the host admits far less memory.
        let (end, there) = (start.wrapping_add(size), core::arch::wasm32::memory_size(0) * PAGE_BYTES);
        if end > there {
            core::arch::wasm32::memory_grow(0, (end - there).div_ceil(PAGE_BYTES));
        }
        self.next.set(end as *const u8);
        start as *mut u8
    }

    fn is_last(&self, block: *mut u8, layout: Layout) -> bool {
        block as usize + layout.size() == self.next.get() as usize
    }
}

// SAFETY: each block lies after the ones that are in use, inside the memory; the host ends the call when memory
// cannot grow, so a block is always there.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // An alignment is a power of two.
        let past = (self.next.get() as usize).wrapping_add(layout.align() - 1);
        self.take(past & layout.align().wrapping_neg(), layout.size())
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_last(block, layout) {
            self.next.set(block);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_last(block, layout) {
            return self.take(block as usize, size);
        }
        // SAFETY: the caller's layout is one, whatever its size; both blocks hold what is copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            core::ptr::copy_nonoverlapping(block, moved, size.min(layout.size()));
            moved
        }
    }
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { next: Cell::new(&raw const __heap_base) };

#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
