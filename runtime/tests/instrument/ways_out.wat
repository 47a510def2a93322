;; Every way out of a function passes the place where its frame is given back.
(module
  (memory (export "memory") 1)
  (func (export "f") (param i32) (result i32)
    (block
      (block
        (br_table 0 1 (local.get 0)))
      (return (i32.const 10)))
    (if (local.get 0) (then (br 1 (i32.const 11))) (else (nop)))
    (i32.const 12)))
