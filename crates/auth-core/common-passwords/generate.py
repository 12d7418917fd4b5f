#!/usr/bin/env python3
"""Makes list.txt, the common passwords that auth-core refuses, from the npm package @zxcvbn-ts/language-common.

    npm pack @zxcvbn-ts/language-common@4.1.3
    python3 generate.py zxcvbn-ts-language-common-4.1.3.tgz > list.txt

The package (MIT, see LICENSE beside this file) has the passwords of public leaks in the order of how often they were
used. Kept are those of 6 characters and more, folded as auth-core folds what it compares (NFKC and lower case).

The list is sorted and front-coded: a line is a letter, which counts the characters that it shares with the line before
(A: none, B: one, ...), and the rest. Every 16th line shares none, so that a search can begin there.
"""

import json
import sys
import tarfile
import unicodedata

SHORTEST = 6
BLOCK = 16


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())


def shared(one: str, other: str) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    return count


def main() -> None:
    with tarfile.open(sys.argv[1]) as package:
        listed = json.load(package.extractfile("package/src/passwords.json"))
    passwords = sorted({folded(str(password)) for password in listed if len(str(password)) >= SHORTEST})
    before = ""
    for index, password in enumerate(passwords):
        # What is compared byte by byte and written a line each must be printable ASCII.
        assert all("!" <= letter <= "~" for letter in password), password
        count = shared(before, password) if index % BLOCK else 0
        assert count < 26
        print(chr(ord("A") + count) + password[count:])
        before = password


if __name__ == "__main__":
    main()
