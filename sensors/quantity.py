"""The quantities that points measure, each with its unit and its metric in base units."""

import msgspec


class Quantity(msgspec.Struct, frozen=True):
    """One quantity.

    Attributes:
        unit: the one unit that profiles and people use.
        metric: the Prometheus family, in base units.
        factor: from `unit` to the base unit.
        binary: whether it is yes or no.
    """

    unit: str
    metric: str
    factor: float = 1.0
    binary: bool = False


QUANTITIES = {
    "temperature": Quantity("°C", "bongsu_temperature_celsius"),
    "humidity": Quantity("%", "bongsu_humidity_ratio", 0.01),
    "leak": Quantity("", "bongsu_leak", binary=True),
    "smoke": Quantity("", "bongsu_smoke", binary=True),
    "contact": Quantity("", "bongsu_contact", binary=True),
    "fault": Quantity("", "bongsu_fault", binary=True),
    "distance": Quantity("m", "bongsu_distance_meters"),
    "voltage": Quantity("V", "bongsu_voltage_volts"),
    "current": Quantity("A", "bongsu_current_amperes"),
    "power": Quantity("W", "bongsu_power_watts"),
    "power_factor": Quantity("", "bongsu_power_factor_ratio"),
    "frequency": Quantity("Hz", "bongsu_frequency_hertz"),
    "energy": Quantity("kWh", "bongsu_energy_joules", 3.6e6),
}
