"""WhatsApp through WATI, a provider in front of the Cloud API."""
