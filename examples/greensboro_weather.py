"""Write one year of hourly weather at Greensboro, North Carolina, as CSV.

The recording (TMY3 station 723170) ships inside pvlib; nothing is downloaded. Columns: time,
ghi (sunshine on the ground, W/m²), ghi_extra (sunshine above the atmosphere, W/m²), temp_dew
(dew point, °C), temp_air (air temperature, °C).

Usage: python examples/greensboro_weather.py OUTPUT.csv
"""

import sys
from pathlib import Path

import pvlib

COLUMNS = ["ghi", "ghi_extra", "temp_dew", "temp_air"]


def main(target: Path) -> None:
    source = Path(pvlib.__file__).parent / "data" / "723170TYA.CSV"
    weather, _ = pvlib.iotools.read_tmy3(source, map_variables=True, coerce_year=1990)
    target.parent.mkdir(parents=True, exist_ok=True)
    weather[COLUMNS].to_csv(target, index_label="time")
    print(f"{len(weather):,} hours of weather written to {target}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
