"""The world: composes the rooms and lives through the days."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from typing import Any

import mesa
import numba
import numpy as np

from agents import (
    banking,
    building,
    buying,
    failing,
    governing,
    guarding,
    holding,
    joining,
    leasing,
    moving,
    pooling,
    sizing,
    trading,
)
from agents.fleet import Fleet
from agents.holder import GROUPS, PARTS, HolderGroup
from agents.manufacturer import Manufacturer
from agents.miner import Miner
from agents.nation import Nation, Place
from agents.pool import Pool
from agents.population import Population
from agents.site import Site
from model import (
    accounting,
    branching,
    ending,
    first_day,
    inputs,
    observing,
    paying,
    pricing,
    splitting,
    subeconomies,
)
from model.atlas import load_atlas
from model.calendar import Calendar
from model.chain.chain import NO_BLOCKS, Chain, DayOfBlocks
from model.chain.tree import DayOfTree
from model.law import Law, Statutes
from model.ledger import Accounts
from model.markets import clocking, electricity, finance, hardware, maker, seats
from model.markets.dispatch import (
    clocked_rows,
    dispatch,
    in_working_order,
    seat_order,
    tally,
)
from model.politics import Politics
from model.readings import as_read
from model.recorder import SERIES, Recorder
from model.scenario import Scenario, load
from model.streams import Streams
from model.supply import (
    PowerOfTheDay,
    call_loads,
    hours_of_the_day,
    price_power,
    shake_prices,
)

ACCOUNTS = (
    "exchange", "utility", "services", "tax", "manufacturer", "builders", "freight", "scrap",
    "lenders", "shareholders", "endowment", "traders", "computation",
)  # fmt: skip
# What Mesa's own tools see of a run; the recorder holds everything.
HEADLINES = (
    "price_usd", "hashrate_ehs", "difficulty", "hashprice_usd_ph_day", "power_gw",
    "efficiency_j_th", "asic_price_usd_th", "hhi_nation", "top_nation_share", "share_under_10mw",
    "share_over_100mw", "share_behind_meter", "share_public_firms", "bankruptcies",
)  # fmt: skip
CLOCKABLE_FROM = date(2018, 10, 1)  # older machines have one clock
LINEAR_POWER = 0.6  # share of a machine's power that grows with the clock, the rest with its cube
LOT = 0.25  # of a row of sites


class World(mesa.Model):
    """The mining economy of one scenario and one seed.

    Parameters
    ----------
    case : a scenario, or the name of one
    rng : seed; the scenario's own if absent
    """

    def __init__(self, case: Scenario | str, rng: int | None = None) -> None:
        case = as_read(load(case) if isinstance(case, str) else case)
        seed = case.seed if rng is None else int(rng)
        super().__init__(rng=seed)
        if "NUMBA_NUM_THREADS" not in os.environ:
            # Below a hundred thousand fleets threads cost more than they bring.
            numba.set_num_threads(1)
        self.case, self.seed = case, seed
        self.streams = Streams(seed)
        self.calendar = Calendar(case.start_date, date.fromordinal(case.end_date.toordinal() + 1))
        self.days, self.day = self.calendar.days, 0
        columns = (*SERIES, *subeconomies.series(case))
        self.recorder = Recorder(self.days, case.start_date, columns)
        self._take_inputs()
        self.wanted_sizes = sizing.wanted_sizes(self)
        self._people()
        first_day.build(self)
        observing.begin(self)
        self._begin_business()
        subeconomies.begin(self)
        self.datacollector = mesa.DataCollector(
            {name: _latest(name) for name in (*HEADLINES, "day")}
        )

    # Setting up

    def _take_inputs(self) -> None:
        case = self.case
        self.atlas = load_atlas(places_file=case.places_file)
        self.cells, self.types = self.atlas.cells, self.atlas.types
        self.in_china = self.atlas.in_china
        self.place_names, self.nation_names = self.atlas.places.name, self.atlas.nations.iso3
        self.first_ordinal = case.start_date.toordinal()
        self.prices = inputs.price_path(case, self.atlas, self.streams)
        self.fees = inputs.transaction_fees(case, self.atlas, self.streams)
        self.generations = inputs.generations(case, self.atlas)
        self.efficiency_rank = np.unique(self.generations.efficiency_j_th, return_inverse=True)[1]
        self.clockable = self.generations.released >= CLOCKABLE_FROM.toordinal()
        self.first_mix, self.first_idle = inputs.first_machines(case, self.atlas, self.generations)
        self.first_shares, self.seasonal_peak = inputs.first_shares(case, self.atlas)
        self.potential_mw = inputs.potentials_mw(case, self.atlas)
        self.operators = self.atlas.operators(case.start_date.strftime("%Y-%m"))
        self.alliances = inputs.alliances(case, self.atlas)
        self.chain = Chain(
            case.start.height,
            case.start.difficulty_e12 * 1e12,
            self.streams.key("blocks"),
            mode=case.chain.blocks,
            off_by_one=case.chain.off_by_one,
            propagation_s=case.chain.propagation_s,
            work_share=1.0 - case.virtual_mining.replaces,
        )
        self.statutes = Statutes(
            case.events, self.place_names, self.atlas.place_nations, case.bans.evasion
        )

    def _people(self) -> None:
        atlas, start = self.atlas, self.case.start
        self.nations = Population(self, Nation, len(atlas.nations))
        self.places = Population(self, Place, len(atlas.places))
        self.sites = Population(self, Site, self.case.start.sites)
        self.miners = Population(self, Miner, self.case.start.miners)
        self.fleets = Population(self, Fleet, 4 * self.case.start.miners)
        self.makers = Population(self, Manufacturer, 1)
        self.pools = Population(self, Pool, 32)
        self.holders = Population(self, HolderGroup, len(GROUPS) * PARTS)
        holding.gather(self)
        means = atlas.means
        joining.found_pools(self)
        self.nations.add(
            gdp_share=means.gdp_share,
            sanctioned=means.sanctioned,
            stranded_mw=means.stranded_mw,
            brownfield_mw=means.brownfield_mw,
            rule_of_law=atlas.nations.rule_of_law,
            capital_depth=atlas.nations.capital_depth * self.case.firms.capital_depth_scale,
            demand_response=atlas.nations.demand_response > 0,
            grid_co2=atlas.nations.grid_co2_t_mwh,
            large_ai=atlas.nations.large_ai,
            ai_backlog=np.where(atlas.nations.large_ai, self.case.compute.backlog_mw, 0.0),
        )
        self.places.add(nation=atlas.places.nation, offset=atlas.places.offset_usd_mwh)
        self.rule_of_law = self.nations["rule_of_law"]
        self.depth = np.minimum(self.nations["capital_depth"], 1.0)
        self.makers.add(
            capacity_mw=[max(start.fab_capacity_mw_month, start.machine_output_mw_month)],
            pricing_power=self.case.machines.pricing_power,
        )
        self.accounts = Accounts(ACCOUNTS)
        self.book = accounting.MachineBook.of(len(self.generations))
        self.power = PowerOfTheDay()
        self.sentiment = pricing.Sentiment()
        self.politics, self.discontent = Politics(), holding.Discontent()
        self.blocks: DayOfBlocks | DayOfTree = NO_BLOCKS
        self.coin_prices = (0.0, 0.0)
        self.law = Law.free(len(atlas.places))
        self.seats_changed = True

    def _begin_business(self) -> None:
        """Prices, expectations, cash, and what is already on order or being built."""
        self.growth = self.announced_growth = 0.0
        self.price_usd = self.outside_usd = float(self.prices[0])
        self.fees_btc = self.fees.next(0, 600.0)
        self.output_mw = self.case.start.machine_output_mw_month
        self.momentum, self.valuation, self.failures_today = 0.0, 1.0, 0
        self.repair_days = np.zeros(self.miners.size)
        observing.tell_changes(self, self.statutes.changed(self.today) or [])
        self.enforce()
        accounting.endow(self)
        self.growth = self.announced_growth = self.case.start.hash_growth_month

    # One day

    def step(self) -> None:
        """One day."""
        self.observe_markets()
        self.obey_law()
        self.receive_deliveries()
        self.run_machines()
        self.find_blocks()
        self.settle_accounts()
        self.record()
        for decide in self.decisions_due():
            decide(self)
        self.check()
        self.day += 1
        self.running = self.day < self.days

    @property
    def today(self) -> date:
        """The date."""
        return self.calendar.date_of(self.day)

    def observe_markets(self) -> None:
        """Coin price, transaction fees, hashprice."""
        month = self.calendar.month_index(self.day)
        self.fees_btc = self.fees.next(month, self.chain.mean_interval_s)
        splitting.fork_if_due(self)
        splitting.set_prices(self)
        self.hashprice = splitting.revenue_usd_ths_day(self)

    def obey_law(self) -> None:
        """Put into force what takes effect today; suffer halts and seizures."""
        branching.follow_law(self)
        for fact in self.statutes.facts(self.today):
            self.tell(fact.kind, fact.subject, fact.what)
        changes = self.statutes.changed(self.today)
        if changes is not None:
            observing.tell_changes(self, changes)
            if self.statutes.law() != self.law:
                self.enforce()
        banking.suffer_law(self)

    def enforce(self) -> None:
        """Apply the law of the day to places and sites."""
        charged, self.law = self.law.power_charge, self.statutes.law()
        for name in ("power_charge", "revenue_tax", "import_duty", "available", "banned",
                     "evasion", "site_cap"):  # fmt: skip
            self.places[name] = getattr(self.law, name)
        fresh = np.isfinite(self.law.capacity_cap) & ~np.isfinite(self.places["capacity_cap"])
        self.places["capped_from"][fresh] = building.built_by_place(self)[fresh]
        self.places["capacity_cap"] = self.law.capacity_cap
        place = self.sites["place"]
        closed = Site.obey(self.sites, self.law.banned[place], self.law.evasion[place])
        observing.report_from(self)
        if closed.size:
            moving.close_sites(self, closed, self.law.lasting[place])
        # Any other law leaves prices to their week, so that one that binds nobody changes nothing.
        if not np.array_equal(charged, self.law.power_charge):
            price_power(self)

    def receive_deliveries(self) -> None:
        """Machines and sites that are due; seats whose machines leave; loads that stand still."""
        moving.leave_seats(self)
        if self.seats_changed:
            self.count_seats()
        call_loads(self)
        Site.supply_power(
            self.sites, self.day, self.wet, self.places["available"][self.sites["place"]]
        )

    def count_seats(self) -> None:
        """Bring the seating up to date after fleets have moved."""
        fleets, sites = self.fleets, self.sites
        site = np.where(fleets.alive, fleets["site"], -1)
        self.seating = seat_order(site, self.efficiency_rank[fleets["generation"]], sites.size)
        megawatts = Fleet.power_mw(fleets)
        used = (site >= 0) & (fleets["leaves_on"] == np.iinfo(np.int32).max)
        for column, row, counted in (
            ("used_mw", fleets["site"], used),
            ("reserved_mw", fleets["second_site"], fleets.alive & (fleets["second_site"] >= 0)),
        ):
            weights = megawatts[counted]
            total = np.bincount(row[counted], weights=weights, minlength=sites.size)
            sites[column] = total * sites["pue"]
        self.seats_changed = False

    def run_machines(self) -> None:
        """Every machine whose next hash pays for its power."""
        fleets, sites = self.fleets, self.sites
        owner = np.maximum(fleets["miner"], 0)
        miners = self.miners
        ready, working = in_working_order(
            fleets.alive, fleets["site"], fleets["ready_on"], owner, fleets["nation"],
            miners["status"] < 3, miners["halted_until"] >= self.day, miners["nation"], self.day,
        )  # fmt: skip
        self.effective, self.joules = self.clock_machines(owner)
        hourly_row, hourly_power = hours_of_the_day(self)
        load, self.hashrate_by_hour = dispatch(
            self.seating[0],
            self.seating[1],
            self.effective,
            self.joules,
            ready,
            self.hashprice * (1.0 - self.places["revenue_tax"][sites["place"]]),
            sites["power_price"],
            sites["available_mw"],
            sites["pue"],
            hourly_row,
            hourly_power,
            self.case.energy.idle_cost_usd_mwh,
        )
        fleets["load"] = load
        Fleet.count_idle_days(fleets, self.day, working)
        work, power_bill, upkeep, energy, self.site_work = tally(
            owner, fleets["site"], self.effective, self.joules, load,
            sites["power_price"], sites["upkeep"], sites["pue"], self.miners.size, sites.size,
        )  # fmt: skip
        self.miners["work"], self.miners["power_bill"] = work, power_bill
        sites["energy_mwh"] = energy
        self.services_bill = upkeep + self.miners["overhead_usd_day"]
        self.hashrate_ths = float(self.hashrate_by_hour.mean())
        weights = self.effective * load
        weights = weights if weights.sum() > 0 else fleets["hashrate"] + 1e-9
        self.mean_efficiency = float(np.average(self.joules, weights=weights))

    def clock_machines(self, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """TH/s in working order and J/TH of each fleet at the clock its owner chooses.

        Clocks are touched where the sun's surplus would else be lost, and everywhere if the
        scenario says so.
        """
        fleets, sites, site = self.fleets, self.sites, self.fleets["site"]
        machines = self.case.machines
        working = hardware.share_working(machines.failure_yr, self.repair_days)
        effective, joules = fleets["hashrate"] * working[owner], fleets["efficiency"]
        rows = clocked_rows(
            site, fleets["generation"], sites["hourly"], self.clockable, machines.clocking
        )
        if rows.size == 0:
            return effective, joules
        price = sites["power_price"][site[rows]] + self.case.energy.idle_cost_usd_mwh
        tax = self.places["revenue_tax"][sites["place"][site[rows]]]
        ratio = clocking.margin_ratio(
            self.hashprice * (1.0 - tax), price * sites["pue"][site[rows]], joules[rows]
        )
        # A machine that pays at no clock keeps its own; the dispatch leaves it off.
        factor = clocking.clock_factor(ratio)
        factor[factor <= 0.0] = 1.0
        joules = joules.copy()
        failures = hardware.failures_yr(machines.failure_yr, factor, machines.overclock_failure_yr)
        working = hardware.share_working(failures, self.repair_days[owner[rows]])
        effective[rows] = fleets["hashrate"][rows] * working * factor
        joules[rows] *= clocking.clock_power(factor, LINEAR_POWER) / factor
        return effective, joules

    def find_blocks(self) -> None:
        """Blocks of the day and what they pay."""
        self.blocks = splitting.find_blocks(self)
        taxed = self.places["revenue_tax"][self.sites["place"]] * self.site_work * self.hashprice
        self.revenue_tax_bill = banking.by_miner(self, taxed, self.effective * self.fleets["load"])

    def settle_accounts(self) -> None:
        """Coins sold, bills paid, firms in trouble."""
        self.failures_today = 0
        banking.settle_day(self)
        banking.check_solvency(self)

    def decisions_due(self) -> tuple[Any, ...]:
        """The slow decisions that fall on today, in order."""
        due = self.calendar.due(self.day)
        return (WEEKLY * due.week) + (MONTHLY * due.month) + (QUARTERLY * due.quarter)

    def record(self) -> None:
        """The day's row, the week's shares."""
        observing.record_day(self)
        self.datacollector.collect(self)
        if self.day % self.case.record.shares_every_days == 0:
            observing.record_shares(self)

    def check(self) -> None:
        """The accounts, on the days the scenario asks for."""
        if self.day % self.case.record.ledger_every_days == 0:
            accounting.check_laws(self)

    # What everyone can see

    @property
    def outlook(self) -> seats.Outlook:
        """What firms expect of the hashprice."""
        return seats.Outlook(
            splitting.revenue_usd_ths_day(self),
            self.decline,
            self.case.machines.used_horizon_months,
            self.case.energy.idle_cost_usd_mwh,
        )

    @property
    def lot_mw(self) -> float:
        """What machines are shipped in, MW."""
        return LOT * self.block_mw

    @property
    def least_lot_mw(self) -> float:
        """The least that is worth a truck, MW."""
        return 0.2 * self.lot_mw

    @property
    def decline(self) -> float:
        """Decline of the hashprice a month that firms and the maker reckon with."""
        return finance.expected_decline(self.growth, self.case.firms.decline_weight)

    @property
    def purchase_outlook(self) -> seats.Outlook:
        """The same over the life of a new machine, with what is known of all orders."""
        firms = self.case.firms
        announced = firms.pipeline_weight * (self.announced_growth - self.growth)
        decline = finance.expected_decline(self.growth + announced, firms.decline_weight)
        return self.outlook._replace(months=maker.INVESTMENT_MONTHS, decline=decline)

    @property
    def terms(self) -> seats.SiteTerms:
        """What each site costs a newcomer, averaged over the year's seasons."""
        return self.power.terms

    @property
    def wet(self) -> float:
        """Weight of the wet season today."""
        return float(electricity.season_weight(self.calendar.day_of_year(self.day)))

    @property
    def output_weights(self) -> np.ndarray:
        """Share of each generation in the maker's output."""
        rule = self.case.machines
        return hardware.output_weights(
            self.generations,
            self.first_ordinal + self.day,
            rule.diffusion_months,
            rule.sold_after_successor_months,
        )

    @property
    def lag_months(self) -> int:
        """Months from order to delivery."""
        rule = self.case.machines
        return rule.lag_months_before_2021 if self.today.year < 2021 else rule.lag_months_from_2021

    @property
    def reference_price(self) -> float:
        """Delivered power price, averaged over energised capacity, USD/MWh."""
        open_mw = self.sites["available_mw"] + 1e-9
        return float(np.average(self.sites["power_price"], weights=open_mw))

    @property
    def frontier_unit_ths(self) -> float:
        """Hashrate of one machine of the kind most made now, TH/s."""
        return float(self.generations.unit_hashrate_ths[int(np.argmax(self.output_weights))])

    def place_prices_by_season(self) -> tuple[np.ndarray, np.ndarray]:
        """Delivered price of existing sites at each place, wet and dry, USD/MWh."""
        places = self.atlas.places
        return (
            places.wet_price_usd_mwh + places.offset_usd_mwh,
            places.dry_price_usd_mwh + places.offset_usd_mwh,
        )

    def place_prices(self) -> np.ndarray:
        """Delivered price at each place on the first day, USD/MWh."""
        wet, dry = self.place_prices_by_season()
        return np.asarray(electricity.seasonal(wet, dry, self.wet))

    def geography_of(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Latitude and longitude of places."""
        return self.atlas.places.latitude_deg[place], self.atlas.places.longitude_deg[place]

    @property
    def year(self) -> float:
        """The date as a decimal year."""
        return self.calendar.year_fraction(min(self.day, self.days - 1))

    def emission_factor(self) -> np.ndarray:
        """Carbon intensity of each site, t/MWh."""
        return observing.emission_factor(self)

    def firm_name(self, row: int) -> str:
        """How events name a firm."""
        return f"{self.nation_names[self.miners['nation'][row]]} miner {row}"

    def nation_name(self, code: str) -> str:
        """The name of a nation in words."""
        return self.atlas.nations.name[self.atlas.nations.row(code)]

    def tell(self, kind: str, subject: str, what: str) -> None:
        """Write an event into the record."""
        self.recorder.event(self.day, kind, subject, what)

    def pay(self, rows: np.ndarray, amounts: np.ndarray, account: str) -> None:
        """Miners pay an outside account."""
        self.accounts.pay(self.miners["cash"], rows, amounts, account)

    def earn(self, rows: np.ndarray, amounts: np.ndarray, account: str) -> None:
        """Miners are paid by an outside account."""
        self.accounts.receive(self.miners["cash"], rows, amounts, account)

    def credit_room(self) -> np.ndarray:
        """What each firm can still borrow, USD."""
        return np.maximum(banking.credit_limit(self) - self.miners["debt"], 0.0)

    def monthly_rate(self) -> np.ndarray:
        """Discount rate of each firm a month."""
        return accounting.monthly_rate(self)

    def summary(self) -> dict[str, float | str]:
        """Headline figures of the run."""
        return observing.summary(self)

    def outcome(self) -> dict[str, Any]:
        """What became of the chain."""
        return ending.outcome(self).facts()


def _latest(name: str) -> Callable[[World], float]:
    """A reporter of a series' value today, for Mesa's DataCollector."""
    return lambda world: world.recorder.latest[name] if name != "day" else world.day


WEEKLY = (
    World.count_seats,
    price_power,
    moving.change_season,
    moving.redeploy,
    joining.adopt_templates,
    pooling.graduate,
    pooling.choose_pools,
)
MONTHLY = (
    paying.end_periods,
    World.count_seats,
    shake_prices,
    observing.learn,
    observing.price_used,
    banking.found_firms,
    banking.measure_firms,
    holding.weigh_fork,
    banking.service_debt,
    banking.borrow,
    moving.age_machines,
    building.exhaust_wells,
    building.develop_sites,
    building.find_bargains,
    price_power,
    trading.trade_used,
    World.count_seats,
    leasing.bid_for_sites,
    World.count_seats,
    buying.buy_machines,
    World.count_seats,
    moving.relocate,
    World.count_seats,
    moving.reserve_seats,
    accounting.tidy,
    banking.grow_up,
    failing.wind_up,
    failing.leave_business,
    leasing.grow_backlog,
)
QUARTERLY = (
    banking.issue_equity,
    banking.choose_hedges,
    governing.mine_stranded_energy,
    guarding.guard,
    governing.legislate,
    governing.adopt_directives,
)
