#!/bin/sh
# ARCHITECTURE.md names functions as `file.c:function`; each must be there, and
# every folder and header it names too. Prints TAP.
cd "${srcdir:-.}" || exit 1
n=0
say() {
	n=$((n + 1))
	echo "$1 $n - $2"
}
for step in $(grep -oE '`[a-z]+/[a-z_]+\.c:[a-z_]+`' ARCHITECTURE.md | tr -d '`' | sort -u); do
	file=${step%%:*}
	function=${step##*:}
	if grep -qE "^$function\\(" "$file" 2>/dev/null; then
		say ok "$step exists"
	else
		say 'not ok' "$step exists"
	fi
done
for file in $(grep -oE '`(lib|master|smtpd|accountd|signd|qmgr|resolvd|deliver|bouncer|webhookd|tools)/[a-z_]+\.(c|h|def)`' ARCHITECTURE.md | tr -d '`' | sort -u); do
	if [ -e "$file" ]; then
		say ok "$file exists"
	else
		say 'not ok' "$file exists"
	fi
done
echo "1..$n"
[ "$n" -gt 20 ]
