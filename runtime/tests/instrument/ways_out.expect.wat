(module
  (type (;0;) (func (param i32) (result i32)))
  (type (;1;) (func (param i64)))
  (type (;2;) (func (param i64) (result i32 i64 i64)))
  (memory (;0;) 1 256)
  (global (;0;) (mut i64) i64.const 0)
  (global (;1;) (mut i32) i32.const 16384)
  (global (;2;) (mut i32) i32.const 0)
  (global (;3;) (mut i64) i64.const 0)
  (export "memory" (memory 0))
  (export "f" (func 0))
  (export "tenor:gas" (global 0))
  (export "tenor:stack" (global 1))
  (export "tenor:growth" (global 2))
  (export "tenor:memory" (memory 0))
  (export "tenor:reset" (func 1))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32)
    global.get 0
    i64.const 5
    i64.sub
    global.set 0
    block ;; label = @1
      block ;; label = @2
        local.get 0
        br_table 0 (;@2;) 1 (;@1;)
      end
      global.get 0
      i64.const 2
      i64.sub
      global.set 0
      i32.const 10
      return
    end
    global.get 0
    i64.const 2
    i64.sub
    global.set 0
    local.get 0
    if ;; label = @1
      global.get 0
      i64.const 2
      i64.sub
      global.set 0
      i32.const 11
      br 1
    else
      nop
    end
    global.get 0
    i64.const 1
    i64.sub
    global.set 0
    i32.const 12
  )
  (func (;1;) (type 1) (param i64)
    i64.const 0
    global.set 3
    i32.const 16384
    global.set 1
    i32.const 0
    global.set 2
    local.get 0
    global.set 0
  )
)
