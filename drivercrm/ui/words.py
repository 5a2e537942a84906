"""The words and marks for the seed's values: one place, so that every page says the same."""

STATUSES = {
    "not_contacted": "Not contacted",
    "contacted": "Contacted",
    "invited": "Invited",
    "onboarding_started": "Onboarding started",
    "onboarding_completed": "Onboarding completed",
    "active": "Active",
    "inactive": "Inactive",
    "opted_out": "Opted out",
}

CHANNELS = {"whatsapp": "WhatsApp", "telegram": "Telegram", "email": "Email", "phone": "Phone"}

# consent: class of the icon, and what a screen reader says
CONSENT = {
    "granted": ("in", "consent given"),
    "never_asked": ("ask", "not asked"),
    "asked": ("ask", "asked, no answer"),
    "withdrawn": ("off", "consent withdrawn"),
    "none": ("none", "no address on file"),
}

PRIORITIES = {"low": "Low", "medium": "Medium", "high": "High", "urgent": "Urgent"}

# delivery states: icon and word
DELIVERY = {
    "queued": ("clock", "Queued"),
    "sent": ("check", "Sent"),
    "delivered": ("checks", "Delivered"),
    "read": ("checks", "Read"),
    "replied": ("reply", "Replied"),
    "failed": ("alert", "Failed"),
}
