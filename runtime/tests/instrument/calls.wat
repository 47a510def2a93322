;; A basic block ends at every call: of the host, direct, through the table.
(module
  (type $t (func (param i32) (result i32)))
  (import "tenor_1" "arg_len" (func $arg_len (result i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (elem (i32.const 0) $own)
  (func $own (type $t) (local.get 0))
  (func (export "f") (result i32)
    (call_indirect (type $t) (call $own (call $arg_len)) (i32.const 0))))
