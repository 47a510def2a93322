(module
  (type (;0;) (func (param i32) (result i32)))
  (memory (;0;) 1 256)
  (global (;0;) (mut i64) i64.const 0)
  (global (;1;) (mut i32) i32.const 16384)
  (global (;2;) (mut i32) i32.const 0)
  (export "memory" (memory 0))
  (export "f" (func 0))
  (export "tenor:gas" (global 0))
  (export "tenor:stack" (global 1))
  (export "tenor:growth" (global 2))
  (func (;0;) (type 0) (param i32) (result i32)
    (local i32)
    global.get 1
    i32.const 12
    i32.sub
    global.set 1
    global.get 1
    i32.const 0
    i32.lt_s
    if ;; label = @1
      unreachable
    end
    global.get 0
    i64.const 5
    i64.sub
    global.set 0
    global.get 0
    i64.const 0
    i64.lt_s
    if ;; label = @1
      unreachable
    end
    block (result i32) ;; label = @1
      block ;; label = @2
        block ;; label = @3
          local.get 0
          br_table 0 (;@3;) 1 (;@2;)
        end
        global.get 0
        i64.const 2
        i64.sub
        global.set 0
        i32.const 10
        br 1 (;@1;)
      end
      global.get 0
      i64.const 2
      i64.sub
      global.set 0
      local.get 0
      if ;; label = @2
        global.get 0
        i64.const 2
        i64.sub
        global.set 0
        i32.const 11
        br 1 (;@1;)
      else
        nop
      end
      global.get 0
      i64.const 1
      i64.sub
      global.set 0
      i32.const 12
    end
    global.get 1
    i32.const 12
    i32.add
    global.set 1
  )
)
