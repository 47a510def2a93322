(module
  (type (;0;) (func (result i32)))
  (type (;1;) (func (param i64)))
  (type (;2;) (func (param i64) (result i32 i64 i64)))
  (memory (;0;) 1 5)
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
  (export "tenor:call:f" (func 2))
  (func (;0;) (type 0) (result i32)
    (local i32 i64 i64 i64 i32)
    global.get 0
    i64.const 417
    i64.sub
    global.set 0
    global.get 0
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    block (result i32) ;; label = @1
      i32.const 0
      i32.const 1
      i32.const 64
      local.set 0
      global.get 0
      local.get 0
      i64.extend_i32_u
      i64.const 1
      i64.mul
      i64.const 2
      i64.shr_u
      i64.sub
      global.set 0
      global.get 0
      i64.const 0
      i64.lt_s
      if ;; label = @2
        unreachable
      end
      local.set 4
      i64.extend_i32_u
      local.tee 3
      i32.wrap_i64
      local.get 3
      local.get 0
      i64.extend_i32_u
      i64.add
      local.get 0
      i32.const 0
      i32.ne
      i64.extend_i32_u
      i64.sub
      i64.const 10
      i64.shr_u
      local.get 3
      i64.const 10
      i64.shr_u
      local.tee 3
      i64.sub
      local.set 1
      i64.const 2
      local.get 1
      i64.shl
      i64.const 1
      i64.sub
      local.get 3
      i64.rotl
      i64.const -1
      local.get 1
      i64.const 63
      i64.lt_u
      select
      local.get 2
      i64.or
      local.set 2
      local.get 4
      local.get 0
      memory.fill
      i32.const 0
      i32.const 64
      i32.const 8
      local.set 0
      global.get 0
      local.get 0
      i64.extend_i32_u
      i64.const 1
      i64.mul
      i64.const 2
      i64.shr_u
      i64.sub
      global.set 0
      global.get 0
      i64.const 0
      i64.lt_s
      if ;; label = @2
        unreachable
      end
      local.set 4
      i64.extend_i32_u
      local.tee 3
      i32.wrap_i64
      local.get 3
      local.get 0
      i64.extend_i32_u
      i64.add
      local.get 0
      i32.const 0
      i32.ne
      i64.extend_i32_u
      i64.sub
      i64.const 10
      i64.shr_u
      local.get 3
      i64.const 10
      i64.shr_u
      local.tee 3
      i64.sub
      local.set 1
      i64.const 2
      local.get 1
      i64.shl
      i64.const 1
      i64.sub
      local.get 3
      i64.rotl
      i64.const -1
      local.get 1
      i64.const 63
      i64.lt_u
      select
      local.get 2
      i64.or
      local.set 2
      local.get 4
      local.get 0
      memory.copy
      i32.const 2
      local.set 0
      memory.size
      i64.extend_i32_u
      local.get 0
      i64.extend_i32_u
      i64.add
      i64.const 5
      i64.gt_u
      if ;; label = @2
        i32.const 1
        global.set 2
        unreachable
      end
      global.get 0
      local.get 0
      i64.extend_i32_u
      i64.const 52000
      i64.mul
      i64.const 0
      i64.shr_u
      i64.sub
      global.set 0
      global.get 0
      i64.const 0
      i64.lt_s
      if ;; label = @2
        unreachable
      end
      local.get 0
      memory.grow
      local.tee 0
      i32.const -1
      i32.eq
      if ;; label = @2
        i32.const 2
        global.set 2
        unreachable
      end
      local.get 0
    end
    global.get 3
    local.get 2
    i64.or
    global.set 3
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
  (func (;2;) (type 2) (param i64) (result i32 i64 i64)
    local.get 0
    call 1
    call 0
    global.get 0
    global.get 3
  )
  (data (;0;) (i32.const 16) "tenor")
)
