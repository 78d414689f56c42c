"""Cases of the geo commands: places, distances, circles and boxes, every option, edges of the map, errors."""

from __future__ import annotations

from tests.differential.case import Book, doubles, singles, table, unordered

BOOK = Book()

SICILY = [
    "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1 "
    "17.241510 38.788135 edge2 14.0 37.0 Gela"
]
WORLD = [
    "GEOADD w 0 0 null 179.99 0 east -179.99 0 west 0 85 north 0 -85 south 10 66.5 arctic 10 81 svalbard "
    "-122.4194 37.7749 sf 139.6917 35.6895 tokyo 151.2093 -33.8688 sydney -0.1276 51.5072 london"
]
SEARCHES = [
    "FROMLONLAT 15 37 BYRADIUS 200 km ASC",
    "FROMLONLAT 15 37 BYRADIUS 200 km DESC",
    "FROMMEMBER Palermo BYRADIUS 100 mi ASC WITHDIST",
    "FROMMEMBER Palermo BYRADIUS 0 m ASC WITHDIST",
    "FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST WITHHASH",
    "FROMLONLAT 15 37 BYBOX 100 400 km ASC WITHHASH",
    "FROMLONLAT 15 37 BYRADIUS 300 km COUNT 2",
    "FROMLONLAT 15 37 BYRADIUS 300 km COUNT 2 DESC WITHDIST",
    "FROMLONLAT 15 37 BYRADIUS 1 ft",
    "FROMLONLAT 15 37 BYRADIUS 656000 ft ASC WITHDIST",
    "byradius 200 km fromlonlat 15 37 asc",
]
BAD_SEARCHES = [
    "FROMLONLAT 15 37 BYRADIUS 200 parsec",
    "FROMLONLAT 15 37 BYRADIUS x km",
    "FROMLONLAT 15 37 BYRADIUS -1 km",
    "FROMLONLAT 15 37 BYBOX x 1 km",
    "FROMLONLAT 15 37 BYBOX 1 x km",
    "FROMLONLAT 15 37 BYBOX -1 1 km",
    "FROMLONLAT 15 x BYRADIUS 1 km",
    "FROMLONLAT 200 37 BYRADIUS 1 km",
    "FROMMEMBER nobody BYRADIUS 1 km",
    "FROMLONLAT 15 37 FROMMEMBER a BYRADIUS 1 km",
    "FROMLONLAT 15 37 BYRADIUS 1 km BYBOX 1 1 km",
    "BYRADIUS 1 km COUNT 1 ASC WITHDIST",
    "FROMLONLAT 15 37 COUNT 1 ASC WITHDIST",
    "FROMLONLAT 15 37 BYRADIUS 1 km COUNT 0",
    "FROMLONLAT 15 37 BYRADIUS 1 km COUNT x",
    "FROMLONLAT 15 37 BYRADIUS 1 km ANY",
    "FROMLONLAT 15 37 BYRADIUS 1 km NOSUCH",
    "FROMLONLAT 15 37 BYRADIUS 1 km STOREDIST",
]

BOOK.add(
    table(
        "geo",
        {
            "add": [*SICILY, "ZRANGE g 0 -1 WITHSCORES", "GEOADD g 13 38 Palermo 1 1 new", "ZCARD g"],
            "add options": [
                *SICILY,
                "GEOADD g NX 1 1 Palermo 2 2 x",
                "GEOADD g XX CH 1 1 Palermo 3 3 y",
                "GEOADD g CH 1 1 Palermo 4 4 z",
                "GEOADD g NX XX 1 1 a",
                "ZCARD g",
            ],
            "add errors": [
                "GEOADD g 1 1",
                "GEOADD g 1 1 a 2 2",
                "GEOADD g x 1 a",
                "GEOADD g 1 x a",
                "GEOADD g 181 1 a",
                "GEOADD g 1 86 a",
                "GEOADD g 180 85.05112878 a -180 -85.05112878 b",
                "SET s v",
                "GEOADD s 1 1 a",
                "EXISTS g",
                "GEOPOS g a b",
            ],
            "positions": [
                *SICILY,
                "GEOPOS g Palermo nobody Catania",
                "GEOPOS nokey a",
                "GEOPOS g",
                "SET s v",
                "GEOPOS s a",
            ],
            "hashes": [
                *SICILY,
                *WORLD,
                "GEOHASH g Palermo nobody Catania",
                "GEOHASH w sf tokyo sydney north",
                "GEOHASH nokey a",
            ],
            "distances": [
                *SICILY,
                *[f"GEODIST g Palermo Catania {unit}" for unit in ("", "m", "km", "ft", "mi", "KM", "x")],
                "GEODIST g Palermo Palermo",
                "GEODIST g Palermo nobody",
                "GEODIST nokey a b",
                "GEODIST g a b km x",
            ],
            "far distances": [
                *WORLD,
                "GEODIST w east west",
                "GEODIST w north south km",
                "GEODIST w sf tokyo mi",
            ],
            "search": [*SICILY, *[f"GEOSEARCH g {words}" for words in SEARCHES]],
            "search errors": [*SICILY, *[f"GEOSEARCH g {words}" for words in BAD_SEARCHES]],
            "search nothing": [
                "GEOSEARCH nokey FROMMEMBER a BYRADIUS 1 km",
                "SET s v",
                "GEOSEARCH s FROMMEMBER a BYRADIUS 1 km",
            ],
            "search in no order": [*SICILY, unordered("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 500 km")],
            "search for any": [
                *SICILY,
                "GEOSEARCH g FROMLONLAT 13.361389 38.115556 BYRADIUS 1 km COUNT 1 ANY",
            ],
            "search the world": [
                *WORLD,
                "GEOSEARCH w FROMMEMBER null BYRADIUS 20000 km ASC",
                "GEOSEARCH w FROMLONLAT 0 70 BYRADIUS 3000 km ASC WITHDIST",
                "GEOSEARCH w FROMLONLAT 0 -80 BYRADIUS 3000 km ASC WITHDIST",
                "GEOSEARCH w FROMMEMBER london BYBOX 4000 9000 km ASC WITHDIST",
                "GEOSEARCH w FROMMEMBER svalbard BYRADIUS 2000 mi DESC",
                "GEOSEARCH w FROMMEMBER sydney BYRADIUS 12000 km ASC WITHCOORD",
            ],
            "searchstore": [
                *SICILY,
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km ASC COUNT 3",
                "ZRANGE d 0 -1 WITHSCORES",
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km STOREDIST",
                "ZRANGE d 0 -1",
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 1 m",
                "EXISTS d",
                "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 1 m WITHDIST",
                "GEOSEARCHSTORE d nokey FROMLONLAT 15 37 BYRADIUS 1 m",
            ],
            "radius": [
                *SICILY,
                "GEORADIUS g 15 37 200 km ASC",
                "GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH DESC COUNT 2",
                "GEORADIUS_RO g 15 37 200 km ASC",
                "GEORADIUS g 15 37 x km",
                "GEORADIUS g 15 37 1 x",
                "GEORADIUS g 15 137 1 km",
                "GEORADIUS g 15 37 200 km STORE d ASC",
                "ZCARD d",
                "GEORADIUS g 15 37 200 km STORE d WITHDIST",
                "GEORADIUS_RO g 15 37 200 km STORE d",
                "GEORADIUS nokey 15 37 200 km",
            ],
            "radius by member": [
                *SICILY,
                "GEORADIUSBYMEMBER g Palermo 200 km ASC",
                "GEORADIUSBYMEMBER g nobody 200 km",
                "GEORADIUSBYMEMBER_RO g Palermo 100 mi WITHDIST ASC",
                "GEORADIUSBYMEMBER g Palermo 200 km STOREDIST d",
                "ZRANGE d 0 -1",
                "GEORADIUSBYMEMBER_RO g Palermo 200 km STORE d",
            ],
            "every unit of the old names": [
                *SICILY,
                *(
                    f"{command} 200000 {unit} ASC WITHCOORD WITHDIST WITHHASH COUNT 2 ANY"
                    for command in (
                        "GEORADIUS g 15 37",
                        "GEORADIUS_RO g 15 37",
                        "GEORADIUSBYMEMBER g Palermo",
                        "GEORADIUSBYMEMBER_RO g Palermo",
                    )
                    for unit in ("m", "km", "ft", "mi")
                ),
                "GEORADIUS g 15 37 200 KM DESC COUNT 1",
                "GEORADIUS_RO g 15 37 200 KM DESC COUNT 1",
                "GEORADIUSBYMEMBER g Palermo 200 KM DESC COUNT 1",
                "GEORADIUSBYMEMBER_RO g Palermo 200 KM DESC COUNT 1",
                "GEORADIUS g 15 37 200 km ANY",
                "GEORADIUS g 15 37 200 km STOREDIST d",
                doubles("ZRANGE d 0 -1 WITHSCORES"),
                "GEORADIUSBYMEMBER g Palermo 200 km STORE d",
                doubles("ZRANGE d 0 -1 WITHSCORES"),
            ],
            "every option of geosearchstore": [
                *SICILY,
                *(
                    f"GEOSEARCHSTORE d g FROMMEMBER Palermo BYRADIUS 600000 {unit} DESC COUNT 2 ANY"
                    for unit in ("m", "ft")
                ),
                doubles("ZRANGE d 0 -1 WITHSCORES"),
                "GEOSEARCHSTORE d g FROMMEMBER Palermo BYBOX 300 200 mi DESC COUNT 3 STOREDIST",
                doubles("ZRANGE d 0 -1 WITHSCORES"),
                "GEOSEARCHSTORE d g FROMMEMBER nobody BYBOX 300 200 mi DESC",
            ],
            "which error comes first": [
                *SICILY,
                "SET s v",
                "GEOSEARCH s FROMLONLAT 200 x BYRADIUS x parsec COUNT 0",
                "GEOSEARCH s FROMLONLAT 15 37 NOSUCH WORDS AT ALL",
                "GEOSEARCHSTORE d s FROMLONLAT 15 37 BYBOX -1 x km COUNT 1",
                "GEORADIUS s x 37 x km",
                "GEORADIUS_RO s 15 37 200 km COUNT x",
                "GEORADIUSBYMEMBER s Palermo x km",
                "GEORADIUSBYMEMBER_RO s Palermo -1 parsec",
                "GEORADIUSBYMEMBER g nobody x km",
                "GEORADIUSBYMEMBER g Palermo x km COUNT 0",
                "GEORADIUSBYMEMBER_RO g nobody 1 km NOSUCH",
                "GEOSEARCH g FROMMEMBER nobody BYRADIUS x km ASC",
                "GEOSEARCH g BYRADIUS x km FROMMEMBER nobody ASC",
                "GEOSEARCH g FROMMEMBER nobody FROMMEMBER Palermo BYRADIUS 1 km",
                "GEORADIUSBYMEMBER nokey Palermo x km",
                "GEORADIUSBYMEMBER nokey Palermo -1 parsec COUNT x",
                "GEORADIUSBYMEMBER nokey Palermo -1 parsec WITHDIST STORE d",
                "GEORADIUSBYMEMBER_RO nokey Palermo 1 km NOSUCH",
                "GEORADIUS nokey 15 37 x km",
                "GEOSEARCH nokey FROMMEMBER a BYRADIUS x km ASC",
                "EXISTS d",
            ],
            "without end": [
                *SICILY,
                *WORLD,
                "GEOSEARCH w FROMLONLAT 0 0 BYRADIUS inf m ASC WITHDIST",
                "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS +inf km WITHCOORD WITHDIST",
                "GEOSEARCH g FROMLONLAT 15 37 BYBOX inf 400 km ASC",
                "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 inf km ASC WITHDIST",
                "GEOSEARCH w FROMMEMBER london BYBOX 1e300 1e300 m ASC",
                "GEOSEARCH w FROMMEMBER sydney BYRADIUS 1e308 mi DESC COUNT 3",
                "GEORADIUS g 15 37 inf km WITHHASH ASC",
                "GEORADIUSBYMEMBER w svalbard inf ft STOREDIST d",
                doubles("ZRANGE d 0 -1 WITHSCORES"),
                "GEOSEARCHSTORE d w FROMMEMBER tokyo BYBOX 1e6 inf ft",
                doubles("ZRANGE d 0 -1 WITHSCORES"),
                "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS nan km",
                "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS -inf km",
                "GEOSEARCH g FROMLONLAT inf 37 BYRADIUS 1 km",
            ],
            "opposite ends": [
                "GEOADD p 0 0 a 180 0 b 90 45 c -90 -45 d 12.34 56.78 e -167.66 -56.78 f",
                "GEODIST p a b",
                "GEODIST p c d",
                "GEODIST p e f km",
                "GEOSEARCH p FROMMEMBER c BYRADIUS 30000 km DESC WITHDIST",
            ],
            "keys": [
                "COMMAND GETKEYS GEORADIUS g 1 1 1 m STORE d",
                "COMMAND GETKEYS GEORADIUSBYMEMBER g a 1 m STOREDIST d",
                "COMMAND GETKEYS GEOSEARCHSTORE d g FROMMEMBER a BYRADIUS 1 m",
            ],
        },
    )
)
BOOK.add(
    singles("geo arity", ["GEOADD g 1", "GEODIST g a", "GEOHASH", "GEOPOS", "GEOSEARCH g", "GEORADIUS g 1 1"])
)
