from services.intake.web.account.passwords import hashed


async def test_passwords_are_kept_as_argon2id_that_is_slow_to_guess() -> None:
    first, second = await hashed("correct horse battery"), await hashed("correct horse battery")
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert first != second
