"""What older servers left in their directory, as bytes: the same nine clicks.

Made by Redis 6.2.14 and Debian's Redis 7.0.15 with the embedded server's configuration. A writer of
32 f recorded batch 1, three clicks of a person and one of a bot, by `scripts/record.lua`; the file
was written anew (`BGREWRITEAOF`); batch 2 came, four of a person in the same hour and one in the
next; then `kill -9`.
"""

from base64 import b64decode

WRITER = "f" * 32
COUNTS = {"1:500000:human": 7, "1:500000:bot": 1, "1:500001:human": 1}

REDIS_6_2 = {
    "appendonly.aof": b64decode(
        "UkVESVMwMDA5+glyZWRpcy12ZXIGNi4yLjE0+gpyZWRpcy1iaXRzwED6BWN0aW1lwlGBB2v6CHVzZWQtbWVt"
        "wvhiDgD6DGFvZi1wcmVhbWJsZcAB/gD7AgANEHtjbGlja3N9OnBlbmRpbmfDQHVAhASEAAAAgSADHwgAAANy"
        "dW4FKDhjNmIyMjY2NzVkODRjZWIxYmYwOWZkHzY3MzZhYWUyNzVjYTllNmE3KgJpZAQiMDEyMzQ1Njc4Bjlh"
        "YmNkZWbgBw8HLTEkDjE6NTBAAAk6aHVtYW4Q9AIM4AARBWJvdA7y/w0Qe2NsaWNrc306YXBwbGllZMMVLwQv"
        "AAAALCADBAIAACBm4BYAAiLy//+R1Qz+JQ0nDCoyDQokNg0KU0VMRUNUDQokMQ0KMA0KKjENCiQ1DQpNVUxU"
        "SQ0KKjYNCiQ0DQpIU0VUDQokMTYNCntjbGlja3N9OnBlbmRpbmcNCiQxNA0KMTo1MDAwMDA6aHVtYW4NCiQx"
        "DQo3DQokMTQNCjE6NTAwMDAxOmh1bWFuDQokMQ0KMQ0KKjQNCiQ0DQpIU0VUDQokMTYNCntjbGlja3N9OmFw"
        "cGxpZWQNCiQzMg0KZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmYNCiQxDQoyDQoqMQ0KJDQNCkVY"
        "RUMNCg=="
    ),
}

REDIS_7_0 = {
    "appendonlydir/appendonly.aof.2.base.rdb": b64decode(
        "UkVESVMwMDEw+glyZWRpcy12ZXIGNy4wLjE1+gpyZWRpcy1iaXRzwED6BWN0aW1lwlKBB2v6CHVzZWQtbWVt"
        "wtCsEAD6CGFvZi1iYXNlwAH+APsCABAQe2NsaWNrc306YXBwbGllZMMRKwcrAAAAAgCgZuAWAAMhAQH/EBB7"
        "Y2xpY2tzfTpwZW5kaW5nw0BxQIAfgAAAAAgAg3J1bgSoZGJkZmM0ZDBhYzhkMTBmOGIwMmQfMGUzMWRiNGQz"
        "ZWVhOTU5YjcwNjUpgmlkA6IwMTIzNDUJNjc4OWFiY2RlZuAHDwctMSOOMTo1MEAACTpodW1hbg8DAYzgABEG"
        "Ym90DQEB//8xqS9jpP52cg=="
    ),
    "appendonlydir/appendonly.aof.2.incr.aof": b64decode(
        "KjINCiQ2DQpTRUxFQ1QNCiQxDQowDQoqMQ0KJDUNCk1VTFRJDQoqNg0KJDQNCkhTRVQNCiQxNg0Ke2NsaWNr"
        "c306cGVuZGluZw0KJDE0DQoxOjUwMDAwMDpodW1hbg0KJDENCjcNCiQxNA0KMTo1MDAwMDE6aHVtYW4NCiQx"
        "DQoxDQoqNA0KJDQNCkhTRVQNCiQxNg0Ke2NsaWNrc306YXBwbGllZA0KJDMyDQpmZmZmZmZmZmZmZmZmZmZm"
        "ZmZmZmZmZmZmZmZmZmZmZg0KJDENCjINCioxDQokNA0KRVhFQw0K"
    ),
    "appendonlydir/appendonly.aof.manifest": b64decode(
        "ZmlsZSBhcHBlbmRvbmx5LmFvZi4yLmJhc2UucmRiIHNlcSAyIHR5cGUgYgpmaWxlIGFwcGVuZG9ubHkuYW9m"
        "LjIuaW5jci5hb2Ygc2VxIDIgdHlwZSBpCg=="
    ),
}
