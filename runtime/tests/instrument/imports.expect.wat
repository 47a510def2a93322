(module
  (type (;0;) (func (result i32)))
  (type (;1;) (func (param i32 i32)))
  (type (;2;) (func (param i32)))
  (type (;3;) (func (param i64) (result i32 i64)))
  (type (;4;) (func (param i32 i32 i64) (result i64)))
  (type (;5;) (func (param i64)))
  (type (;6;) (func (param i64) (result i32 i64 i64)))
  (import "tenor_1" "arg_len" (func (;0;) (type 3)))
  (import "tenor_1" "ret" (func (;1;) (type 4)))
  (table (;0;) 2 funcref)
  (memory (;0;) 1 256)
  (global (;0;) (mut i64) i64.const 0)
  (global (;1;) (mut i32) i32.const 16384)
  (global (;2;) (mut i32) i32.const 0)
  (global (;3;) (mut i64) i64.const 0)
  (export "memory" (memory 0))
  (export "f" (func 3))
  (export "in_a_loop" (func 4))
  (export "fills" (func 5))
  (export "tenor:gas" (global 0))
  (export "tenor:stack" (global 1))
  (export "tenor:growth" (global 2))
  (export "tenor:memory" (memory 0))
  (export "tenor:reset" (func 8))
  (export "tenor:call:f" (func 9))
  (elem (;0;) (i32.const 0) func 6 2)
  (func (;2;) (type 0) (result i32)
    (local i32)
    global.get 0
    i64.const 2
    i64.sub
    global.set 0
    i32.const 7
  )
  (func (;3;) (type 0) (result i32)
    (local i32 i32 i64 i64 i64 i32)
    global.get 1
    i32.const 11
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
    i64.const 8
    i64.sub
    global.set 0
    global.get 0
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    block (result i32) ;; label = @1
      i32.const 8
      global.get 0
      call 0
      global.set 0
      global.get 0
      i64.const 16
      i64.sub
      global.set 0
      local.set 5
      i64.extend_i32_u
      local.tee 2
      i32.wrap_i64
      local.get 2
      i64.const 10
      i64.shr_u
      local.set 4
      i64.const 1
      local.get 4
      i64.shl
      local.get 3
      i64.or
      local.set 3
      local.get 5
      i32.store
      i32.const 8
      i32.const 0
      call_indirect (type 0)
      global.get 0
      i64.const 6
      i64.sub
      global.set 0
      global.get 0
      call 1
      global.set 0
      global.get 0
      i64.const 11
      i64.sub
      global.set 0
      i32.const 1
      call_indirect (type 0)
    end
    global.get 3
    local.get 3
    i64.or
    global.set 3
    local.get 1
    i32.const 11
    i32.add
    global.set 1
  )
  (func (;4;) (type 2) (param i32)
    (local i32)
    global.get 0
    i64.const 1
    i64.sub
    global.set 0
    global.get 0
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    loop ;; label = @1
      global.get 0
      i64.const 7
      i64.sub
      global.set 0
      global.get 0
      i64.const 0
      i64.lt_s
      if ;; label = @2
        unreachable
      end
      local.get 0
      global.get 0
      call 0
      global.set 0
      global.get 0
      i64.const 4
      i64.sub
      global.set 0
      i32.sub
      local.set 0
      local.get 0
      br_if 0 (;@1;)
    end
  )
  (func (;5;) (type 2) (param i32)
    (local i32 i32 i64 i64 i64 i32)
    global.get 0
    i64.const 37
    i64.sub
    global.set 0
    i64.const 1
    local.get 0
    i64.extend_i32_u
    i64.const 4
    i64.add
    i64.const 10
    i64.shr_u
    i64.shl
    local.get 4
    i64.or
    local.set 4
    i64.const 1
    local.get 0
    i64.extend_i32_u
    i64.const 19
    i64.add
    i64.const 10
    i64.shr_u
    i64.shl
    local.get 4
    i64.or
    local.set 4
    block ;; label = @1
      i32.const 64
      local.get 0
      i32.sub
      local.set 1
      i64.const 1
      local.get 1
      i64.extend_i32_u
      i64.const 0
      i64.add
      i64.const 10
      i64.shr_u
      i64.shl
      local.get 4
      i64.or
      local.set 4
      i64.const 1
      local.get 1
      i64.extend_i32_u
      i64.const 20
      i64.add
      i64.const 10
      i64.shr_u
      i64.shl
      local.get 4
      i64.or
      local.set 4
      local.get 0
      i32.const 1
      i32.store offset=4
      local.get 0
      i64.const 2
      i64.store offset=12
      local.get 1
      i64.const 3
      i64.store
      local.get 1
      i32.const 4
      i32.store8 offset=20
      local.get 1
      local.get 0
      i32.add
      i32.const 5
      local.set 6
      i64.extend_i32_u
      local.tee 3
      i32.wrap_i64
      local.get 3
      i64.const 10
      i64.shr_u
      local.set 5
      i64.const 1
      local.get 5
      i64.shl
      local.get 4
      i64.or
      local.set 4
      local.get 6
      i32.store
    end
    global.get 3
    local.get 4
    i64.or
    global.set 3
  )
  (func (;6;) (type 0) (result i32)
    global.get 0
    call 0
    global.set 0
  )
  (func (;7;) (type 1) (param i32 i32)
    local.get 0
    local.get 1
    global.get 0
    call 1
    global.set 0
  )
  (func (;8;) (type 5) (param i64)
    i64.const 0
    global.set 3
    i32.const 16384
    global.set 1
    i32.const 0
    global.set 2
    local.get 0
    global.set 0
  )
  (func (;9;) (type 6) (param i64) (result i32 i64 i64)
    local.get 0
    call 8
    call 3
    global.get 0
    global.get 3
  )
)
