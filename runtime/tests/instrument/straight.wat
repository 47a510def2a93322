;; Two basic blocks at most: the entry, and nothing else. The module's own global stays the first.
(module
  (memory (export "memory") 1)
  (global (mut i32) (i32.const 7))
  (func (export "f") (param i32) (result i32)
    (global.set 0 (i32.add (local.get 0) (i32.const 1)))
    (i32.mul (global.get 0) (i32.const 3))))
