/* Functions in the boot ROM, at the addresses that Espressif's linker script gives:
 * https://github.com/espressif/ESP8266_NONOS_SDK/blob/master/ld/eagle.rom.addr.v6.ld
 *
 * They are called through constants: ROM lies farther from IRAM than a direct call reaches.
 */
#ifndef ROM_H
#define ROM_H

#include <stdint.h>

#define ROM(type, address) ((type)(address))

typedef void (*isr_t)(void *argument);

#define ets_isr_attach ROM(void (*)(uint32_t interrupt, isr_t handler, void *argument), 0x40000F88)
#define ets_isr_unmask ROM(void (*)(uint32_t interrupts), 0x40000FA8)
#define ets_delay_us ROM(void (*)(uint32_t microseconds), 0x40002ECC)
#define ets_wdt_disable ROM(uint32_t (*)(void), 0x400030F0)
#define uart_div_modify ROM(void (*)(uint32_t uart, uint32_t divider), 0x400039D8)

#define SelectSpiFunction ROM(void (*)(void), 0x40003F58)
#define spi_flash_attach ROM(void (*)(void), 0x40004644)
#define SPIWrite ROM(uint32_t (*)(uint32_t address, const void *source, uint32_t size), 0x40004A4C)
#define SPIRead ROM(uint32_t (*)(uint32_t address, void *target, uint32_t size), 0x40004B1C)
#define SPIParamCfg                                                                                          \
    ROM(uint32_t (*)(uint32_t id, uint32_t size, uint32_t block, uint32_t sector, uint32_t page,             \
                     uint32_t status_mask),                                                                  \
        0x40004C2C)

/* The layout of RFC 1321's MD5_CTX. */
struct md5 {
    uint32_t state[4];
    uint32_t bits[2];
    uint8_t rest[64];
};

#define MD5Init ROM(void (*)(struct md5 * context), 0x40009818)
#define MD5Update ROM(void (*)(struct md5 * context, const void *data, uint32_t size), 0x40009834)
#define MD5Final ROM(void (*)(void *digest, struct md5 *context), 0x40009900)

/* libgcc's division, which the chip has no instruction for. */
#define udivsi3 ROM(uint32_t (*)(uint32_t dividend, uint32_t divisor), 0x4000E21C)

#endif
