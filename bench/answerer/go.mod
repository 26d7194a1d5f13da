module kamaji/bench/answerer

go 1.26.0
