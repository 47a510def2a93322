(module
  (type (;0;) (func (param i64) (result i64)))
  (memory (;0;) 1 256)
  (global (;0;) (mut i64) i64.const 0)
  (global (;1;) (mut i32) i32.const 16384)
  (global (;2;) (mut i32) i32.const 0)
  (export "memory" (memory 0))
  (export "f" (func 0))
  (export "tenor:gas" (global 0))
  (export "tenor:stack" (global 1))
  (export "tenor:growth" (global 2))
  (func (;0;) (type 0) (param i64) (result i64)
    (local i64 i32)
    global.get 1
    i32.const 14
    i32.sub
    global.set 1
    global.get 1
    i32.const 0
    i32.lt_s
    if ;; label = @1
      unreachable
    end
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
    block (result i64) ;; label = @1
      block ;; label = @2
        loop ;; label = @3
          global.get 0
          i64.const 11
          i64.sub
          global.set 0
          global.get 0
          i64.const 0
          i64.lt_s
          if ;; label = @4
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
          br_if 0 (;@3;)
          global.get 0
          i64.const 1
          i64.sub
          global.set 0
        end
      end
      local.get 1
    end
    global.get 1
    i32.const 14
    i32.add
    global.set 1
  )
)
