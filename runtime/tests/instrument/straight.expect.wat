(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i64)))
  (type (;2;) (func (param i64) (result i32 i64 i64)))
  (memory (;0;) 1 256)
  (global (;0;) (mut i32) i32.const 7)
  (global (;1;) (mut i64) i64.const 0)
  (global (;2;) (mut i32) i32.const 16384)
  (global (;3;) (mut i32) i32.const 0)
  (global (;4;) (mut i64) i64.const 0)
  (export "memory" (memory 0))
  (export "f" (func 0))
  (export "tenor:global:0" (global 0))
  (export "tenor:gas" (global 1))
  (export "tenor:stack" (global 2))
  (export "tenor:growth" (global 3))
  (export "tenor:memory" (memory 0))
  (export "tenor:reset" (func 1))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32)
    global.get 1
    i64.const 9
    i64.sub
    global.set 1
    local.get 0
    i32.const 1
    i32.add
    global.set 0
    global.get 0
    i32.const 3
    i32.mul
  )
  (func (;1;) (type 1) (param i64)
    i32.const 7
    global.set 0
    i64.const 0
    global.set 4
    i32.const 16384
    global.set 2
    i32.const 0
    global.set 3
    local.get 0
    global.set 1
  )
)
