"""What the members have signed, brought to their contract: `acting` schedules and carries out, `typed_data` is what wallets show."""
