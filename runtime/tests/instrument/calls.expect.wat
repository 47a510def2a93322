(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (result i32)))
  (type (;2;) (func (param i64) (result i32 i64)))
  (type (;3;) (func (param i64)))
  (type (;4;) (func (param i64) (result i32 i64 i64)))
  (import "tenor_1" "arg_len" (func (;0;) (type 2)))
  (table (;0;) 1 funcref)
  (memory (;0;) 1 256)
  (global (;0;) (mut i64) i64.const 0)
  (global (;1;) (mut i32) i32.const 16384)
  (global (;2;) (mut i32) i32.const 0)
  (global (;3;) (mut i64) i64.const 0)
  (export "memory" (memory 0))
  (export "f" (func 2))
  (export "tenor:gas" (global 0))
  (export "tenor:stack" (global 1))
  (export "tenor:growth" (global 2))
  (export "tenor:memory" (memory 0))
  (export "tenor:reset" (func 4))
  (export "tenor:call:f" (func 5))
  (elem (;0;) (i32.const 0) func 1)
  (func (;1;) (type 0) (param i32) (result i32)
    (local i32)
    global.get 0
    i64.const 2
    i64.sub
    global.set 0
    local.get 0
  )
  (func (;2;) (type 1) (result i32)
    (local i32 i32)
    global.get 1
    i32.const 10
    i32.sub
    local.tee 1
    global.set 1
    local.get 1
    i32.const 0
    i32.lt_s
    if ;; label = @1
      unreachable
    end
    global.get 0
    i64.const 7
    i64.sub
    global.set 0
    global.get 0
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    block (result i32) ;; label = @1
      global.get 0
      call 0
      global.set 0
      global.get 0
      i64.const 6
      i64.sub
      global.set 0
      call 1
      global.get 0
      i64.const 11
      i64.sub
      global.set 0
      i32.const 0
      call_indirect (type 0)
    end
    local.get 1
    i32.const 10
    i32.add
    global.set 1
  )
  (func (;3;) (type 1) (result i32)
    global.get 0
    call 0
    global.set 0
  )
  (func (;4;) (type 3) (param i64)
    i64.const 0
    global.set 3
    i32.const 16384
    global.set 1
    i32.const 0
    global.set 2
    local.get 0
    global.set 0
  )
  (func (;5;) (type 4) (param i64) (result i32 i64 i64)
    local.get 0
    call 4
    call 2
    global.get 0
    global.get 3
  )
)
