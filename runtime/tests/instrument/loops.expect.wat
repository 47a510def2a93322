(module
  (type (;0;) (func (param i64) (result i64)))
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
  (func (;0;) (type 0) (param i64) (result i64)
    (local i64 i32 i64)
    global.get 0
    local.set 3
    local.get 3
    i64.const 1
    i64.sub
    local.tee 3
    global.set 0
    local.get 3
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    block ;; label = @1
      loop ;; label = @2
        local.get 3
        i64.const 11
        i64.sub
        local.tee 3
        global.set 0
        local.get 3
        i64.const 0
        i64.lt_s
        if ;; label = @3
          unreachable
        end
        local.get 1
        local.get 0
        i64.add
        local.set 1
        local.get 0
        i64.const 1
        i64.sub
        local.tee 0
        i64.const 0
        i64.ne
        br_if 0 (;@2;)
        local.get 3
        i64.const 1
        i64.sub
        local.tee 3
        global.set 0
      end
    end
    local.get 1
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
