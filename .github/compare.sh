#!/usr/bin/env bash
# Run two revisions on this machine, one after the other, and write what differs as markdown to stdout.
#   .github/compare.sh BASE HEAD > comment.md
# python and dvc come from PATH. Your working tree is left alone; what both revisions share runs once.
set -euo pipefail

root=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"; git -C "$root" worktree prune' EXIT

# Run a revision in a worktree of its own and commit what it stored; gives the commit.
store() {
    git -C "$root" worktree add --quiet --detach "$work/$1" "$2" >&2
    cd "$work/$1"
    dvc config --local cache.dir "$root/.dvc/cache"
    dvc repro >&2
    git add dvc.lock metrics
    git -c user.name=compare -c user.email=compare@localhost commit --quiet --no-verify --allow-empty --message "$1"
    git rev-parse HEAD
}

base=$(store base "$1")
head=$(store head "$2")
cd "$work/head"
python -m asd compare "$base" "$head" --markdown > "$work/compare.md"
dvc metrics diff --md "$base" "$head" > "$work/diff.md"
sed -i.bak -e "s/$base/base/g; s/$head/head/g" -e '/^|/s/  *|/ |/g' -e '/^|/s/---*/---/g' "$work/compare.md" "$work/diff.md"

echo "## base $(git rev-parse --short "$base^") and head $(git rev-parse --short "$head^") on the same machine"
echo
cat "$work/compare.md"
echo
echo "<details><summary>dvc metrics diff; the last column is the verdict on the score of the system</summary>"
echo
# The verdicts of the first table, by system, beside each figure of that system; that a score's difference is real says
# nothing of the other figures. A comment holds 65536 characters.
awk -F ' *[|] *' -v most=500 '
    FNR == NR { if (NF > 7) verdict[$2] = $(NF - 1); next }
    FNR == 1 { header = $0 " verdict |"; next }
    FNR == 2 { header = header "\n" $0 "---|"; next }
    NF > 2 && rows++ < most {
        split($3, key, ".")
        said = $2 ~ /evaluate.json$/ ? verdict[key[1]] : ""
        if (said == "real" && key[2] !~ /^(official|score_one_domain)$/) said = ""
        if (rows == 1) print header
        print $0 " " said " |"
    }
    END { if (!rows) print "No metric changed."; if (rows > most) print "\n" rows - most " more rows are left out." }
' "$work/compare.md" "$work/diff.md"
echo
echo "</details>"
