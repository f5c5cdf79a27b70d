"""How emitters report the touchpoints of the shipped telecom inventory: name, location, intent.

The inventory recognises them again; a test holds this table against `seeds/inventory.toml`.
"""

from typing import Final, NamedTuple

from schemas.records import Channel


class Place(NamedTuple):
    """A touchpoint as its emitter reports it."""

    channel: Channel
    name: str
    location: str | None = None
    intent: str | None = None


def _pages(**locations: str) -> dict[str, Place]:
    return {_id(key): Place("web", "Page Viewed", at) for key, at in locations.items()}


def _screens(**locations: str) -> dict[str, Place]:
    return {_id(key): Place("app", "Screen Viewed", at) for key, at in locations.items()}


def _messages(**intents: str) -> dict[str, Place]:
    return {_id(key): Place("chatbot", "user_message", None, i) for key, i in intents.items()}


def _menus(**nodes: str) -> dict[str, Place]:
    return {_id(key): Place("ivr", "menu", node) for key, node in nodes.items()}


def _answers(**subjects: str) -> dict[str, Place]:
    return {_id(key): Place("survey", "survey_answered", at) for key, at in subjects.items()}


def _id(key: str) -> str:
    return key.replace("_", "-")


PLACES: Final[dict[str, Place]] = {
    **_pages(
        home_page="/",
        browse_phones="/phones",
        compare_phones="/phones/compare",
        read_phone_page="/phones/aurora-7",
        check_upgrade="/my/upgrade",
        find_store="/stores",
        store_hours="/stores/riverside/hours",
        book_class="/classes/first-steps",
        view_bill_online="/my/bills",
        compare_plans="/plans",
        change_plan_online="/my/plan/change",
        check_network="/network",
        report_fault_online="/help/faults",
        dispute_form="/my/bills/latest/dispute",
        complain="/complaints",
        search_help="/help",
        find_manual="/help/manuals/aurora-7",
    ),
    "log-in": Place("web", "Logged In", "/login"),
    "download-guide": Place("web", "Guide Downloaded", "/guides/aurora-7.pdf"),
    "fill-basket": Place("web", "Product Added", "/basket"),
    "order-online": Place("web", "Checkout Step Viewed", "/checkout/payment"),
    "order-confirmed": Place("web", "Order Completed", "/checkout/confirmation"),
    "pay-online": Place("web", "payment_started", "/my/bills/pay"),
    "payment-confirmed-online": Place("web", "payment_confirmed", "/my/bills/paid"),
    "plan-changed-online": Place("web", "Plan Changed", "/my/plan/changed"),
    **_screens(
        view_bill="Bill",
        view_charge="Bill/Charge",
        view_usage="Usage",
        change_plan_in_app="Plan",
        check_upgrade_in_app="Upgrade",
        track_technician_in_app="Visit",
        store_hours_in_app="Shops/riverside",
        thank_you_gift="Rewards",
    ),
    "open-app": Place("app", "Application Opened", "Home"),
    "pay-in-app": Place("app", "payment_started", "Bill/Pay"),
    "payment-confirmed": Place("app", "payment_confirmed", "Bill/Paid"),
    "query-charge": Place("app", "charge_queried", "Bill/Charge/Query"),
    "top-up-in-app": Place("app", "top_up_started", "Top up"),
    "top-up-confirmed": Place("app", "top_up_confirmed", "Top up/Done"),
    "plan-changed": Place("app", "plan_changed", "Plan/Changed"),
    "report-fault-in-app": Place("app", "fault_reported", "Help/Fault"),
    **_messages(
        ask_about_bill="pay_bill",
        ask_about_charge="dispute_charge",
        ask_about_fault="report_fault",
        ask_about_phone="upgrade_phone",
        ask_about_plan="change_plan",
        ask_opening_hours="opening_hours",
    ),
    "chat": Place("chatbot", "session_started"),
    "chat-to-person": Place("chatbot", "handoff_requested"),
    **_menus(
        billing_menu="billing",
        pay_by_phone="pay",
        top_up_by_phone="top-up",
        report_fault_by_phone="fault",
        upgrade_by_phone="upgrade",
        hours_by_phone="opening-hours",
    ),
    "call-care": Place("ivr", "call_started"),
    "wait-for-person": Place("ivr", "queued", "queue"),
    "paid-by-phone": Place("ivr", "payment_confirmed", "pay/done"),
    "topped-up-by-phone": Place("ivr", "top_up_confirmed", "top-up/done"),
    "talk-about-bill": Place("agent", "note", "billing"),
    "credit-agreed": Place("agent", "credit_agreed", "billing"),
    "visit-shop": Place("agent", "note", "shop/riverside"),
    "attend-class": Place("agent", "class_attended", "shop/riverside"),
    "buy-in-shop": Place("agent", "sale_closed", "shop/riverside"),
    "talk-to-sales": Place("agent", "note", "phone-sales"),
    "order-by-phone": Place("agent", "sale_closed", "phone-sales"),
    "sent-to-website": Place("agent", "referred_to_website", "care"),
    "talk-to-care": Place("agent", "note", "care"),
    "cancel-contract": Place("agent", "contract_cancelled", "care"),
    "book-technician": Place("agent", "appointment_made", "field"),
    "technician-visit": Place("agent", "visit_started", "field"),
    "fault-fixed": Place("agent", "fault_fixed", "field"),
    **_answers(
        rate_payment="payment",
        rate_visit="technician",
        rate_shop="shop",
        rate_chat="chat",
        rate_call="call",
    ),
}
"""By the touchpoint's id in the inventory."""
