#!/bin/sh
# Every fuzz target that is built, over its corpus; prints TAP.
corpus=${srcdir:-.}/fuzz/corpus
n=0
for target in fuzz/fuzz_*; do
	case $target in *.o) continue ;; esac
	[ -x "$target" ] && [ -f "$target" ] || continue
	n=$((n + 1))
	name=${target#fuzz/fuzz_}
	if said=$("$target" "$corpus/$name" 2>&1); then
		echo "ok $n - the inputs of $name replay"
	else
		printf '%s\n' "$said" | sed 's/^/# /'
		echo "not ok $n - the inputs of $name replay"
	fi
done
echo "1..$n"
