;; At the head of a loop it is asked whether gas is left; a block that nothing branches to costs no charge.
(module
  (memory (export "memory") 1)
  (func (export "f") (param i64) (result i64) (local i64)
    (block $quiet
      (loop $again
        (local.set 1 (i64.add (local.get 1) (local.get 0)))
        (br_if $again (i64.ne (local.tee 0 (i64.sub (local.get 0) (i64.const 1))) (i64.const 0)))))
    (local.get 1)))
