;; Work by size is charged by size, and growth above a maximum ends the call. Data and its count stay.
(module
  (memory (export "memory") 1 5)
  (data (i32.const 16) "tenor")
  (func (export "f") (result i32)
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 64))
    (memory.copy (i32.const 0) (i32.const 64) (i32.const 8))
    (memory.grow (i32.const 2))))
