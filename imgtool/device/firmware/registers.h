/* Registers of the ESP8266 that the stub uses: UART0, SPI0 and one of the IO MUX.
 *
 * Names and bits are those of Espressif's uart_register.h, spi_register.h and pin_mux_register.h:
 * https://github.com/espressif/ESP8266_RTOS_SDK/tree/master/components/esp8266/include/esp8266
 */
#ifndef REGISTERS_H
#define REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

struct uart {
    uint32_t fifo, int_raw, int_st, int_ena, int_clr, clkdiv, autobaud, status, conf0, conf1;
};

struct spi {
    uint32_t cmd, addr, ctrl, ctrl1, rd_status, ctrl2, clock, user, user1, user2, user3, pin;
    uint32_t slave[4];
    uint32_t w[16];
};

/* The linker script places them, so that the registers of each share an address constant. */
extern volatile struct uart uart0;
extern volatile struct spi spi0;

#define UART_RXFIFO_FULL_INT (1u << 0)
#define UART_RXFIFO_OVF_INT (1u << 4)
#define UART_RXFIFO_TOUT_INT (1u << 8)
#define UART_RXFIFO_CNT(status) ((status) & 0xFF)
#define UART_TXFIFO_CNT(status) ((status) >> 16 & 0xFF)
#define UART_RX_TOUT_EN (1u << 31)
#define UART_RX_TOUT_THRHD_S 24
#define UART_FIFO_BYTES 128

/* The pin that the flash's clock is on, and what it is switched to. */
#define PERIPHS_IO_MUX_SD_CLK_U 0x6000081Cu
#define PERIPHS_IO_MUX_FUNC 0x130u
#define FUNC_SPICLK 0x10u

#define SPI_USR (1u << 18)
#define SPI_USR_COMMAND (1u << 31)
#define SPI_USR_ADDR (1u << 30)
#define SPI_USR_MISO (1u << 28)
#define SPI_USR_MOSI (1u << 27)
#define SPI_USR_ADDR_BITS(bits) (((bits) - 1u) << 26)
#define SPI_USR_MOSI_BITS(bits) (((bits) - 1u) << 17)
#define SPI_USR_MISO_BITS(bits) (((bits) - 1u) << 8)
#define SPI_USR_COMMAND_BITS(bits) (((bits) - 1u) << 28)

#endif
